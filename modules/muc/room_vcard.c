/*
 * room_vcard.c - the vCard of a room, and with it its picture (XEP-0486).
 *
 *	owner --set--> what is in it? --one transaction--> card, hashes --durable--> 104
 *	who may enter, or sees it in the list --get--> the card, from the store
 *
 * Owner shard of the room.  Of all of it the hashes alone are in memory: whoever wants
 * the picture finds them in muc#roominfo, and no presence comes from the room (§5.2).
 */
#include "config.h"

#include "room.h"
#include "room_photo.h"

#define MAP_VCARD "vcard"
#define KEY_CARD "card"

/* --- what is told of it --------------------------------------------------------------- */

void
room_vcard_info(const struct room *r, struct arena *a, struct elem *form)
{
	struct elem *field;
	struct str rest = r->avatar != NULL ? str_c(r->avatar) : STR_NONE;

	if (rest.n == 0)
		return; /* §4: then there is no field */
	field = form_add_field(a, form, "muc#roominfo_avatarhash", "text-multi",
		"Hash of the picture");
	while (rest.n != 0) {
		const char *end = memchr(rest.p, ' ', rest.n);
		size_t n = end != NULL ? (size_t)(end - rest.p) : rest.n;

		form_add_value(a, field, (struct str){ rest.p, n });
		n += end != NULL;
		rest = (struct str){ rest.p + n, rest.n - n };
	}
}

void
room_avatar_take(struct room *r, struct str hashes)
{
	free(r->avatar);
	r->avatar = hashes.n != 0 ? str_dup(hashes) : NULL;
	room_count_texts(r);
}

/* --- who may have it ------------------------------------------------------------------- */

static enum stanza_cond
may_see(const struct room *r, struct jid user)
{
	enum room_affiliation aff = room_affiliation(r, user);

	if (r->state == ROOM_LOCKED && aff != AFF_OWNER)
		return COND_ITEM_NOT_FOUND;
	if (aff == AFF_OUTCAST)
		return COND_FORBIDDEN;
	if (r->config.members_only && !r->config.is_public && aff < AFF_MEMBER)
		return COND_FORBIDDEN;
	return COND_NONE;
}

static void
on_card_read(void *arg, const struct store_answer *answer,
	const struct err *err)
{
	struct iq *iq = arg;
	struct elem *card = NULL;

	if (err != NULL) {
		iq_error(iq, stanza_cond_of(err->code), NULL);
		return;
	}
	if (answer->n != 0)
		card = stored_read(iq->st->arena, answer->entries[0].value);
	iq_result(iq, card != NULL ? card : iq_payload(iq, NS_VCARD, "vCard"));
}

enum hook_result
muc_on_vcard_get(struct module_ctx *m, struct iq *iq)
{
	struct room *r = room_of(iq->entity);
	struct store_place at = entity_place(&r->e, MAP_VCARD);
	enum stanza_cond cond = may_see(r, iq->st->from);

	if (cond != COND_NONE) {
		iq_error(iq, cond, NULL);
		return HOOK_HANDLED;
	}
	iq_keep(iq);
	module_get(m, r->e.shard, at, STR(KEY_CARD), on_card_read, iq);
	return HOOK_HANDLED;
}

/* --- another one ------------------------------------------------------------------------- */

/* In the arena of the request, which lives as long. */
struct card_job {
	struct iq *iq;
	struct str hashes;
};

static void
on_card_stored(void *arg, bool ok, const struct err *err)
{
	static const unsigned codes[NOTE_CODES] = { 104 };
	struct card_job *job = arg;
	struct entity *e = iq_entity(job->iq);

	if (e != NULL && ok && room_of(e)->state == ROOM_OPEN)
		room_avatar_take(room_of(e), job->hashes);
	if (ok)
		iq_result(job->iq, NULL);
	else
		iq_error(job->iq, stanza_cond_of(err->code), NULL);
	if (e != NULL && ok && room_of(e)->state == ROOM_OPEN)
		room_say_codes(room_of(e), codes);
}

/* §3.2: an empty card takes it away. */
static void
store_card(struct module_ctx *m, struct room *r, struct iq *iq, struct str card,
	struct str hashes)
{
	struct card_job *job = arena_zalloc(iq->st->arena, sizeof(*job));
	struct store_place at = entity_place(&r->e, MAP_VCARD);
	struct store_place room = entity_place(&r->e, MAP_ROOM);
	struct store_tx *tx = store_tx_new();

	/* not behind a room that is being deleted */
	store_tx_require(tx, room, STR("config"));
	if (elem_first_child(iq->payload) != NULL)
		store_tx_set(tx, at, STR(KEY_CARD), card);
	else
		store_tx_delete(tx, at, STR(KEY_CARD));
	if (hashes.n != 0)
		store_tx_set(tx, room, STR(KEY_AVATAR), hashes);
	else
		store_tx_delete(tx, room, STR(KEY_AVATAR));
	job->iq = iq;
	job->hashes = arena_str(iq->st->arena, hashes);
	iq_keep(iq);
	module_commit(m, r->e.shard, tx, on_card_stored, job);
}

static void
take_card(struct module_ctx *m, struct room *r, struct iq *iq)
{
	const struct muc_conf *conf = m->conf;
	struct buf card = BUF_INIT, hashes = BUF_INIT;
	const char *why = NULL;

	stored_write(&card, iq->payload);
	if (card.n > conf->max_vcard)
		iq_error(iq, COND_NOT_ACCEPTABLE, "The vCard is too big");
	else if (!photo_hashes(&hashes, iq->st->arena, iq->payload, &why))
		iq_error(iq, COND_NOT_ACCEPTABLE, why);
	else
		store_card(m, r, iq, buf_str(&card), buf_str(&hashes));
	buf_done(&hashes);
	buf_done(&card);
}

enum hook_result
muc_on_vcard_set(struct module_ctx *m, struct iq *iq)
{
	struct room *r = room_of(iq->entity);

	if (room_affiliation(r, iq->st->from) != AFF_OWNER)
		iq_error(iq, COND_FORBIDDEN,
			"Owners alone may give a room a picture");
	else if (r->state != ROOM_OPEN)
		iq_error(iq, COND_NOT_ALLOWED,
			"The room is to be configured first");
	else
		take_card(m, r, iq);
	return HOOK_HANDLED;
}
