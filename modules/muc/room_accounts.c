/*
 * room_accounts.c - a room in memory, when an account goes that is somebody there.
 *
 * Owner shard of the room.
 */
#include "config.h"

#include "room.h"

struct going {
	struct entity_ref ref;
	char *user; /* owned */
};

static void
be_nobody(struct room *r, struct jid user)
{
	struct room_note note = { .reason = STR_NONE };
	struct jid nobody = { .text = NULL };
	enum room_affiliation was;

	if (r->maker.user != NULL && str_is(jid_bare_str(user), r->maker.user))
		maker_done(&r->maker);
	if (members_find(&r->members, user) == NULL)
		return;
	was = room_affiliation(r, user);
	members_set(&r->members, user, AFF_NONE, STR_NONE, STR_NONE);
	room_affiliate(r, user, was, &note, nobody);
}

static void
on_gone(void *arg, bool ok, const struct err *err)
{
	struct going *g = arg;
	struct entity *e = entity_ref_end(&g->ref);

	(void)err;
	if (e != NULL && ok)
		be_nobody(room_of(e), jid_trusted(str_c(g->user)));
	free(g->user);
	free(g);
}

/* What was under way for him before is durable before this is: what comes behind is for
 * who has the name then. */
void
room_account_gone(struct room *r, struct jid user)
{
	struct going *g;
	struct store_tx *tx;

	be_nobody(r, user);
	if (r->state != ROOM_OPEN || module_of_entity(&r->e) == NULL)
		return;
	g = xcalloc(1, sizeof(*g));
	g->user = str_dup(jid_bare_str(user));
	entity_ref(&g->ref, &r->e);
	tx = store_tx_new();
	store_tx_delete(tx, entity_place(&r->e, MAP_AFFILIATIONS),
		jid_bare_str(user));
	module_commit(module_of_entity(&r->e), r->e.shard, tx, on_gone, g);
}
