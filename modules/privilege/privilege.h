/*
 * privilege.h - between the files of the module privilege.
 */
#ifndef MODULES_PRIVILEGE_PRIVILEGE_H
#define MODULES_PRIVILEGE_PRIVILEGE_H

#include "module/module.h"

/* In the slot of a component: accounts whose presence it has yet to be shown. */
struct privilege_shows {
	struct entity *component; /* NULL: nothing is under way */
	struct timer timer;
	struct buf all; /* bare addresses, each with a line end */
	size_t at;
	uint64_t link; /* that came last: what is gathered for one before it is
			* not shown */
};

/* --- privilege.c: any shard -------------------------------------------------- */

/* The component that from is an address of, if anything may be granted to it at the
 * host of m; else NULL.  Valid for this turn. */
const struct config_component *privilege_of(const struct module_ctx *m,
	struct shard *sh, struct jid from);

/* --- privilege_send.c -------------------------------------------------------- */

/* Messages (XEP-0356 §5): any shard. */
enum hook_result privilege_on_message(struct module_ctx *m, void *arg);
/* Requests (§6): owner shard of the account, any shard at a host. */
enum hook_result privilege_on_iq(struct module_ctx *m, struct iq *iq);
enum hook_result privilege_on_iq_elsewhere(struct module_ctx *m, struct iq *iq);
/* One to a full address. */
bool privilege_refuses(struct module_ctx *m, struct account_stanza *in);

/* --- privilege_presence.c ---------------------------------------------------- */

/* Presence (§7): owner shard of the account. */
enum hook_result privilege_on_available(struct module_ctx *m, void *arg);
enum hook_result privilege_on_unavailable(struct module_ctx *m, void *arg);
enum hook_result privilege_on_hidden(struct module_ctx *m, void *arg);
enum hook_result privilege_on_send(struct module_ctx *m, void *arg);
/* Of somebody else. */
void privilege_presence_came(struct module_ctx *m, struct account *acc,
	const struct stanza *st);
/* Who is there already (§8, 1); owner shard of the component.  come: its link
 * that has just come, and whom it was still to be shown before is forgotten; NULL:
 * none has. */
void privilege_show_presence(struct module_ctx *m, struct entity *component,
	const struct link *come);
void privilege_shows_done(struct entity *e, void *state);

#endif
