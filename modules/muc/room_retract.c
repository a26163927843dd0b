/*
 * room_retract.c - what was said in a room is taken back: by its author (XEP-0424), or by
 * a moderator (XEP-0425).
 *
 *	his retraction --> which entry does it mean?  The room waits for the store to say,
 *	                   and then it is said, and archived, as any message; in the same
 *	                   transaction the entry, if it is his, becomes a tombstone
 *
 *	a moderator's iq --> the entry --> one transaction: the tombstone, and what the room
 *	                     says of it --durable--> all hear that, and he has his answer
 *
 * Owner shard of the room.  Who means another one's message says something that nobody
 * believes (§5), and nothing comes of it.  Where there is no archive, what is in memory
 * for those who come in is forgotten; a moderator may then mean what the room does not
 * know any more, for clients may.
 */
#include "config.h"

#include "room.h"

/* What a request of a moderator, in either form, asks for. */
struct moderation {
	struct iq *iq;
	struct str of;     /* the id by the room; in the arena of the request, as all */
	struct str reason; /* STR_NONE: none */
	struct stanza *st; /* what the room will say of it, owned; NULL: nothing yet */
	struct arena *a;   /* owned, of the following */
	const struct elem *message;
	struct elem *tomb; /* what will be left of it */
};

/* --- entries ------------------------------------------------------------------------- */

static const struct elem *
retract_of(const struct stanza *st)
{
	return st->type == MESSAGE_GROUPCHAT ?
		stanza_child(st, NS_RETRACT, "retract") :
		NULL;
}

/* An id that no entry has means none. */
static bool
id_can_be(struct str id)
{
	return id.n != 0 && id.n < STORE_ID_SIZE;
}

/* Retractions stand (XEP-0424 §5). */
static bool
takes_back(const struct elem *message)
{
	return elem_child(message, NS_RETRACT, "retract") != NULL;
}

/* --- authors ---------------------------------------------------------------------------- */

struct retracting {
	struct entity_ref ref;
	struct stanza *st; /* owned, from its author */
};

/* XEP-0424 §5: of a user, whichever name and client he has now. */
static void
bury_his(struct room *r, struct store_tx *tx, const struct stanza *st,
	const struct store_entry *entry)
{
	struct arena *a;
	const struct elem *message =
		stored_read_own(r->e.shard->xml, entry->value, &a);
	struct elem *tomb;

	if (message == NULL)
		return;
	if (str_eq(entry->with, jid_bare_str(st->from)) &&
		!room_is_buried(message) && !takes_back(message)) {
		/* who gives his messages no ids: it says at least that it is so */
		tomb = room_tombstone(r, a, message,
			st->id.n != 0 ? st->id : entry->key);
		room_bury(r, tx, entry->key, a, message, tomb);
		room_bury_corrections(r, entry, message, tomb, NULL, NULL);
	}
	arena_free(a);
}

static void
on_meant(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct retracting *job = arg;
	struct entity *e = entity_ref_end(&job->ref);
	struct store_tx *tx;
	struct room *r;

	if (e == NULL) {
		router_bounce(job->ref.shard, job->st, COND_ITEM_NOT_FOUND, NULL);
		free(job);
		return;
	}
	r = room_of(e);
	tx = store_tx_new();
	for (size_t i = 0; err == NULL && i < answer->n; i++)
		bury_his(r, tx, job->st, &answer->entries[i]);
	r->looking = false;
	room_message_with(r, job->st, tx);
	free(job);
	room_go_on(r);
}

bool
room_retracts(struct room *r, struct stanza *st)
{
	const struct elem *retract = retract_of(st);
	struct module_ctx *m = module_of_entity(&r->e);
	struct retracting *job;
	struct str id = retract != NULL ? elem_attr(retract, "id") : STR_NONE;

	if (!room_has_archive(r) || !id_can_be(id) || m == NULL)
		return false;
	job = xcalloc(1, sizeof(*job));
	job->st = st;
	entity_ref(&job->ref, &r->e);
	r->looking = true;
	module_get_entries(m, r->e.shard, entity_place(&r->e, LOG_ARCHIVE), &id, 1,
		0, on_meant, job);
	return true;
}

void
room_retracted(struct room *r, const struct stanza *st)
{
	const struct elem *retract = retract_of(st);
	const struct elem *author =
		stanza_child(st, NS_OCCUPANT_ID, "occupant-id");

	if (retract != NULL && author != NULL)
		history_forget(&r->history, r->e.jid, elem_attr(retract, "id"),
			elem_attr(author, "id"));
}

/* --- moderators: what the room says ----------------------------------------------------- */

/* By whom, as an element of ns, and in the old form what he does, and why. */
static struct elem *
add_moderated(const struct room *r, struct arena *a, struct elem *parent,
	const char *ns, const struct occupant *by)
{
	struct elem *moderated = elem_add(a, parent, ns, "moderated");

	elem_set_attr(a, moderated, "by",
		jid_str(room_occupant_jid(r, a, occupant_nick(by))));
	room_add_id(r, a, moderated, by->user);
	return moderated;
}

static void
add_reason(struct arena *a, struct elem *parent, const char *ns, struct str reason)
{
	if (reason.p != NULL)
		elem_add_with_text(a, parent, ns, "reason", reason);
}

/* Both forms in one: that of now (§3.1), and that of clients of version 0.2, which
 * fastens it to the message (XEP-0422). */
static struct stanza *
say_moderated(const struct room *r, const struct moderation *mod,
	const struct occupant *by)
{
	char id[RAND_ID_SIZE];
	struct jid none = { .text = NULL };
	struct stanza *st = stanza_new(MESSAGE_GROUPCHAT, r->e.jid, none,
		rand_id(r->e.shard->rand, id));
	struct arena *a = st->arena;
	struct elem *e = elem_add(a, st->root, NS_RETRACT, "retract");

	elem_set_attr(a, e, "id", mod->of);
	add_moderated(r, a, e, NS_MODERATE, by);
	add_reason(a, e, NS_RETRACT, mod->reason);
	e = elem_add(a, st->root, NS_FASTEN, "apply-to");
	elem_set_attr(a, e, "id", mod->of);
	e = add_moderated(r, a, e, NS_MODERATE_0, by);
	elem_add(a, e, NS_RETRACT_0, "retract");
	add_reason(a, e, NS_MODERATE_0, mod->reason);
	return st;
}

/* §4 */
static struct elem *
tombstone(const struct room *r, const struct moderation *mod,
	const struct occupant *by)
{
	struct elem *tomb = room_tombstone(r, mod->a, mod->message, mod->st->id);
	struct elem *retracted = elem_child(tomb, NS_RETRACT, "retracted");

	add_moderated(r, mod->a, retracted, NS_MODERATE, by);
	add_reason(mod->a, retracted, NS_RETRACT, mod->reason);
	return tomb;
}

/* --- moderators: what they ask for -------------------------------------------------------- */

static void
moderation_say(struct room *r, struct moderation *mod)
{
	struct jid by = mod->iq->st->from;

	history_forget(&r->history, r->e.jid, mod->of, STR_NONE);
	room_talk(r, mod->st, by);
	iq_result(mod->iq, NULL);
}

static void
moderation_fail(struct moderation *mod, enum stanza_cond cond)
{
	stanza_free(mod->st);
	iq_error(mod->iq, cond, NULL);
}

static void
on_moderated(void *arg, bool ok, const struct err *err)
{
	struct moderation *mod = arg;
	struct entity *e = iq_entity(mod->iq);

	if (ok && e != NULL)
		moderation_say(room_of(e), mod);
	else
		moderation_fail(mod, ok ? COND_ITEM_NOT_FOUND :
					  stanza_cond_of(err->code));
}

/* As whom does he do it, with this client or another one of his?  NULL: he may not. */
static const struct occupant *
moderator_of(const struct room *r, struct jid by)
{
	const struct room_client *c = people_by_address(&r->people, by);
	size_t at = people_by_user_start(&r->people, by);
	const struct occupant *o;

	if (c != NULL)
		return c->occupant->role == ROLE_MODERATOR ? c->occupant : NULL;
	while ((o = people_by_user(&r->people, by, &at)) != NULL) {
		if (o->role == ROLE_MODERATOR)
			break;
	}
	return o;
}

/* What corrects it is gone.  So may the room be by now, of which nothing is to be left, and
 * another one in its place; or the moderator. */
static void
on_corrections(void *arg)
{
	struct moderation *mod = arg;
	struct entity *e = iq_entity(mod->iq);
	struct module_ctx *m = e != NULL ? module_of_entity(e) : NULL;
	struct arena *a = mod->a;
	struct store_tx *tx;
	char id[STORE_ID_SIZE];

	if (m == NULL || room_of(e)->state != ROOM_OPEN) {
		moderation_fail(mod, COND_ITEM_NOT_FOUND);
	} else if (moderator_of(room_of(e), mod->iq->st->from) == NULL) {
		moderation_fail(mod, COND_FORBIDDEN);
	} else {
		tx = store_tx_new();
		/* not behind a room that is being deleted */
		store_tx_require_entry(tx, entity_place(e, LOG_ARCHIVE), mod->of);
		room_bury(room_of(e), tx, mod->of, a, mod->message, mod->tomb);
		room_log_add(room_of(e), tx, mod->st, NULL, mod->iq->st->from, id);
		stanza_add_id(mod->st, e->jid, str_c(id));
		module_commit(m, e->shard, tx, on_moderated, mod);
	}
	arena_free(a);
}

static void
moderate(struct room *r, struct moderation *mod, const struct occupant *by,
	const struct store_entry *entry)
{
	mod->st = say_moderated(r, mod, by);
	mod->tomb = tombstone(r, mod, by);
	room_bury_corrections(r, entry, mod->message, mod->tomb, on_corrections,
		mod);
}

/* It is there.  What says that something is taken back stays (XEP-0424 §5), and so does
 * what the room itself has said; what is taken back already needs nothing more. */
static void
on_entry_read(struct room *r, struct moderation *mod,
	const struct store_entry *entry)
{
	const struct occupant *by = moderator_of(r, mod->iq->st->from);
	struct arena *a;

	mod->message = stored_read_own(r->e.shard->xml, entry->value, &a);
	mod->a = a; /* mod lies in that of the request, which is gone when it is answered */
	if (mod->message == NULL) {
		iq_error(mod->iq, COND_INTERNAL_SERVER_ERROR, NULL);
	} else if (by != NULL && !takes_back(mod->message) &&
		!room_is_buried(mod->message)) {
		moderate(r, mod, by, entry);
	} else {
		if (by == NULL)
			iq_error(mod->iq, COND_FORBIDDEN, NULL);
		else if (room_is_buried(mod->message))
			iq_result(mod->iq, NULL);
		else
			iq_error(mod->iq, COND_NOT_ACCEPTABLE, NULL);
		arena_free(a);
	}
}

static void
on_entry(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct moderation *mod = arg;
	struct entity *e = iq_entity(mod->iq);
	struct module_ctx *m = e != NULL ? module_of_entity(e) : NULL;

	if (err != NULL)
		iq_error(mod->iq, stanza_cond_of(err->code), NULL);
	else if (m == NULL || answer->n == 0)
		iq_error(mod->iq, COND_ITEM_NOT_FOUND, NULL);
	else
		on_entry_read(room_of(e), mod, &answer->entries[0]);
}

/* Its parts; false: it asks for nothing that there is. */
static bool
read_request(struct moderation *mod, const struct iq *iq)
{
	const struct elem *e = iq->payload, *reason;
	bool old = str_is(e->ns, NS_FASTEN);
	const char *ns = old ? NS_MODERATE_0 : NS_MODERATE;

	mod->of = elem_attr(e, "id");
	if (old)
		e = elem_child(e, NS_MODERATE_0, "moderate");
	if (e == NULL || mod->of.n == 0 ||
		elem_child(e, old ? NS_RETRACT_0 : NS_RETRACT, "retract") == NULL)
		return false;
	reason = elem_child(e, ns, "reason");
	mod->reason = reason != NULL ? elem_text(iq->st->arena, reason) : STR_NONE;
	return true;
}

/* Nobody knows whether there was such a message. */
static void
moderate_unseen(struct room *r, struct moderation *mod, const struct occupant *by)
{
	char id[RAND_ID_SIZE];

	mod->st = say_moderated(r, mod, by);
	stanza_add_id(mod->st, r->e.jid, rand_id(r->e.shard->rand, id));
	moderation_say(r, mod);
}

enum hook_result
muc_on_moderate(struct module_ctx *m, struct iq *iq)
{
	struct room *r = room_of(iq->entity);
	struct moderation *mod = arena_zalloc(iq->st->arena, sizeof(*mod));
	const struct occupant *by = moderator_of(r, iq->st->from);
	enum stanza_cond cond = by != NULL ? COND_NONE : COND_FORBIDDEN;

	mod->iq = iq;
	if (cond == COND_NONE && !read_request(mod, iq))
		cond = COND_BAD_REQUEST;
	if (cond == COND_NONE && room_has_archive(r) && !id_can_be(mod->of))
		cond = COND_ITEM_NOT_FOUND;
	if (cond != COND_NONE) {
		iq_error(iq, cond, NULL);
	} else if (!room_has_archive(r)) {
		moderate_unseen(r, mod, by);
	} else {
		iq_keep(iq);
		module_get_entries(m, r->e.shard, entity_place(&r->e, LOG_ARCHIVE),
			&mod->of, 1, 0, on_entry, mod);
	}
	return HOOK_HANDLED;
}

void
room_retract_features(const struct room *r, struct arena *a, struct elem *query)
{
	static const char *const features[] = { NS_MODERATE, NS_MODERATE_0,
		NS_RETRACT, NS_RETRACT "#tombstone" };

	for (size_t i = 0; i < COUNT(features); i++) {
		/* XEP-0424 §2, §4: without an archive nothing is kept of them */
		if (i < 2 || room_has_archive(r))
			elem_set_attr(a,
				elem_add(a, query, NS_DISCO_INFO, "feature"), "var",
				str_c(features[i]));
	}
}
