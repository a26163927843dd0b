/*
 * muc_accounts.c - in which rooms accounts of this server have an affiliation.
 *
 *	the account's shard                               the room's shard
 *	account.remove: rows of its rooms, by its map
 *	  and by the same transaction
 *	account.removing: durable ----TELL_ACCOUNT_GONE----> in memory: he is nobody there
 *	its name can be given again                            (again, when what was under way
 *	                                                       before that is durable)
 */
#include "config.h"

#include "muc_accounts.h"

#include "room.h"

/* --- what is stored ------------------------------------------------------------------------ */

bool
muc_is_account(struct shard *sh, struct jid jid)
{
	const struct host *host;

	if (jid_local(jid).n == 0)
		return false;
	host = shard_host(sh, jid_domain(jid));
	return !host_is_remote(host) && host->service == NULL;
}

static struct store_place
rooms_of(struct jid user)
{
	return (struct store_place){ jid_domain(user), jid_local(user),
		STR(MAP_ROOMS_OF) };
}

void
muc_accounts_note(struct shard *sh, struct store_tx *tx, struct store_place at,
	struct jid jid, enum room_affiliation aff)
{
	struct arena *a;
	struct str room;

	if (!muc_is_account(sh, jid))
		return;
	a = arena_new();
	room = arena_printf(a, "%.*s@%.*s", STR_ARG(at.owner), STR_ARG(at.host));
	if (aff == AFF_NONE)
		store_tx_delete(tx, rooms_of(jid), room);
	else
		store_tx_set(tx, rooms_of(jid), room,
			str_c(affiliation_name(aff)));
	arena_free(a);
}

/* --- accounts that go ------------------------------------------------------------------------- */

void
muc_leaving_done(struct entity *e, void *state)
{
	struct muc_leaving *l = state;

	(void)e;
	for (size_t i = 0; i < l->rooms.n; i++)
		free(l->rooms.p[i]);
	vec_done(&l->rooms);
}

static struct store_place
room_at(struct jid room, const char *map)
{
	return (struct store_place){ jid_domain(room), jid_local(room),
		str_c(map) };
}

/* In the transaction that removes it, with its own maps. */
enum hook_result
muc_on_account_remove(struct module_ctx *m, void *arg)
{
	const struct account_removal *removal = arg;
	struct account *acc = removal->account;
	struct muc_leaving *l = module_entity_state(m, &acc->e);

	for (size_t i = 0; i < removal->n_entries; i++) {
		const struct store_entry *entry = &removal->entries[i];

		if (str_is(entry->with, MAP_ROOMS_MADE))
			store_tx_delete(removal->tx,
				room_at(jid_trusted(entry->value), MAP_ROOM),
				STR(KEY_MAKER));
		if (!str_is(entry->with, MAP_ROOMS_OF))
			continue;
		store_tx_delete(removal->tx,
			room_at(jid_trusted(entry->key), MAP_AFFILIATIONS),
			jid_str(acc->e.jid));
		*vec_push(&l->rooms) = str_dup(entry->key);
	}
	return HOOK_PASS;
}

/* It is durable, and nobody can have the name yet. */
enum hook_result
muc_on_account_removing(struct module_ctx *m, void *arg)
{
	struct account *acc = arg;
	struct muc_leaving *l = module_entity_state(m, &acc->e);

	for (size_t i = 0; i < l->rooms.n; i++)
		entity_tell(acc->e.shard,
			&(struct entity_message){
				.kind = TELL_ACCOUNT_GONE,
				.to = jid_trusted(str_c(l->rooms.p[i])),
				.text = jid_str(acc->e.jid),
			});
	return HOOK_PASS;
}
