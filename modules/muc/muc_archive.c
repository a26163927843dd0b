/*
 * muc_archive.c - how long, and how much, the archives of rooms are kept.
 *
 * A room's own is bounded where something is added to it, by the room; what is too old,
 * or too much at the service, goes at the place of the service (archive_sweep.h).  The log
 * of a room that is destroyed goes with all else of it (room_owner.c): nobody finds any of
 * it from then on, and the store deletes it by and by (store_tx_clear()).
 */
#include "config.h"

#include "room.h"

#define MAP_KEPT "kept" /* of the service: see struct archive_kind */
#define DAY_S 86400u

/* --- what is too old, or too much ------------------------------------------------------ */

static void
bounds_of(const struct module_ctx *m, struct archive_bounds *out)
{
	const struct muc_conf *conf = m->conf;

	*out = (struct archive_bounds){ conf->archive_keep_us,
		conf->archive_max_bytes, conf->archive_host_bytes };
}

static const struct archive_kind of_rooms = {
	.log = LOG_ARCHIVE,
	.of = "room",
	.own = MAP_KEPT,
	.bounds = bounds_of,
};

void
muc_archive_store(struct store_tx *tx, struct jid room, const struct room_config *c)
{
	struct store_place at = { jid_domain(room), STR(""), STR(MAP_KEPT) };
	struct buf value = BUF_INIT;

	if (c == NULL || c->archive_days == 0) {
		store_tx_delete(tx, at, jid_local(room));
		return;
	}
	buf_printf(&value, "%llu", (unsigned long long)c->archive_days * DAY_S);
	store_tx_set(tx, at, jid_local(room), buf_str(&value));
	buf_done(&value);
}

void
muc_follow(struct module_ctx *m, struct shard *sh)
{
	struct muc_shard *ms = module_shard_state(m, sh);
	const struct host *h;

	for (h = m->host->services; h != NULL; h = h->next) {
		if (h->modules[0].entry == m->entry)
			archive_sweep_follow(&ms->sweeps, m, sh, h->domain,
				&of_rooms);
	}
}

enum hook_result
muc_on_host_keeps(struct module_ctx *m, void *arg)
{
	const struct muc_conf *conf = m->conf;
	struct host_keeps *keeps = arg;
	struct buf *out = keeps->out;

	buf_add_c(out, out->n != 0 ? ", archives of rooms for " :
				     "archives of rooms for ");
	if (conf->archive_keep_us >= OPTION_NEVER)
		buf_add_c(out, "ever");
	else
		duration_show(out, conf->archive_keep_us);
	buf_add_c(out, " up to ");
	size_show(out, conf->archive_max_bytes);
	buf_add_c(out, " a room");
	if (conf->archive_host_bytes != 0) {
		buf_add_c(out, " and ");
		size_show(out, conf->archive_host_bytes);
		buf_add_c(out, " in all");
	}
	return HOOK_PASS;
}

/* --- what is added ----------------------------------------------------------------------- */

void
room_archive_added(struct room *r, struct store_tx *tx, const struct stanza *st,
	struct str id, size_t bytes)
{
	struct store_place at = entity_place(&r->e, LOG_ARCHIVE);
	const struct muc_conf *conf = room_conf(r);
	struct buf words = BUF_INIT;

	if (conf == NULL)
		return;
	if (conf->archive_search)
		archive_words(&words, st->arena, st->root);
	if (words.n != 0)
		store_tx_index(tx, at, id, buf_str(&words));
	buf_done(&words);
	archive_make_room(&r->log.room, conf->archive_max_bytes, STR_NONE, tx, at,
		bytes + STORE_ENTRY_BYTES);
}
