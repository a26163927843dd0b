/*
 * blocking.h - between the files of the module blocking (XEP-0191, XEP-0377).
 *
 * Owner shard of the account.
 */
#ifndef MODULES_BLOCKING_H
#define MODULES_BLOCKING_H

#include "module/module.h"

/* In the slot of an account. */
struct blocking {
	struct block_list list;
};

/* In that of a shard. */
struct blocking_shard {
	struct log_limit reports;
};

struct blocking_whom {
	struct jid jid;
	bool sees; /* the presence of the account, as it was then */
};

struct blocking_whoms VEC(struct blocking_whom);
struct blocking_shown VEC(struct jid);
struct blocking_reports VEC(struct account_report);

/* A request to change the list, in the arena of its iq, but for the two lists. */
struct blocking_change {
	struct iq *iq;
	bool on;                   /* to block; else to unblock */
	struct block_list named;   /* by the request; empty: all there are */
	struct block_list changed; /* was not on the list before, or is not any more */
	struct blocking_whoms whom; /* is told by presence, see below */
	struct blocking_shown shown; /* to block: the sessions that they saw then */
	struct blocking_reports reports;
};

/* --- blocking_guard.c: what neither side gets ---------------------------------------- */

enum hook_result blocking_on_send(struct module_ctx *m, void *arg);
enum hook_result blocking_on_receive(struct module_ctx *m, void *arg);

/* --- blocking_presence.c: whom presence tells of a change ----------------------------- */

/* Fills ch->whom and ch->shown; the list of acc has changed already. */
void blocking_find_whom(struct blocking_change *ch, const struct account *acc);
/* Tells them, now that the change is durable. */
void blocking_tell(const struct blocking_change *ch, struct account *acc);

/* --- blocking_report.c: reports (XEP-0377) ---------------------------------------------- */

/* Of item, which names who; one that does not say what it has to counts as none, for
 * it must not keep who from being blocked (§6). */
void blocking_report_read(struct blocking_change *ch, const struct elem *item,
	struct jid who);
void blocking_report_all(struct module_ctx *m, const struct blocking_change *ch,
	struct account *acc);

#endif
