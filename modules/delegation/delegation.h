/*
 * delegation.h - between the files of the module delegation.
 */
#ifndef MODULES_DELEGATION_DELEGATION_H
#define MODULES_DELEGATION_DELEGATION_H

#include "module/module.h"

/* XEP-0355 §7.2.4, §7.2.5: requests about nodes that we do not know. */
#define BARE_INFO NS_DELEGATION ":bare:disco#info:*"
#define BARE_ITEMS NS_DELEGATION ":bare:disco#items:*"

struct delegation_conf {
	int64_t timeout_us;
};

/* --- delegation.c ------------------------------------------------------------ */

/* Who answers st, a request in ns for the host of m or its users, when it is not his
 * own; NULL: we do.  Any shard; valid for this turn. */
const struct config_delegation *delegation_of(const struct module_ctx *m,
	struct shard *sh, struct str ns, const struct stanza *st);
/* iq is d's to answer, and is kept, or refused. */
void delegation_forward(struct module_ctx *m, struct iq *iq,
	const struct config_delegation *d);

/* --- delegation_disco.c ------------------------------------------------------- */

/* In the slot of a shard: what components have said that they can do. */
struct known;
LIST_HEAD(known_list, known);

/* component (its owner shard) is asked what it can do at the host of m. */
void delegation_learn(struct module_ctx *m, struct entity *component);
/* It has gone. */
enum hook_result delegation_on_gone(struct module_ctx *m, void *arg);
enum hook_result delegation_on_info(struct module_ctx *m, void *arg);
enum hook_result delegation_on_items(struct module_ctx *m, void *arg);
void delegation_shard_done(struct shard *sh, void *state);

#endif
