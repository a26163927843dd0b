/*
 * room.c - a room as an entity: how it is loaded, what comes for it, and how it leaves.
 *
 * Owner shard of the room.  muc.h draws its states; room.h says which file does what.
 */
#include "config.h"

#include "room.h"
#include "room_save.h"

/* For who comes again after a stop, or a crash. */
#define RETURN_US (3600 * US_PER_S)

/* --- what it holds --------------------------------------------------------------------- */

void
room_count_texts(struct room *r)
{
	int64_t bytes = room_config_bytes(&r->config) +
		memuse_size(r->subject.text) + memuse_size(r->subject.nick) +
		memuse_size(r->subject.user) + memuse_size(r->avatar);

	memuse_count(MEMUSE_ROOM, 0, bytes - r->text_bytes);
	r->text_bytes = bytes;
}

/* --- who somebody is --------------------------------------------------------------------- */

const struct muc_conf *
room_conf(const struct room *r)
{
	const struct module_ctx *m = module_of_entity(&r->e);

	return m != NULL ? m->conf : NULL;
}

bool
room_is_ruled_by(const struct room *r, struct jid user)
{
	const struct muc_conf *conf = room_conf(r);
	const struct host *host =
		shard_host(r->e.shard, jid_domain(r->e.jid));

	if (conf == NULL || host == NULL)
		return false;
	/* commands ask as the host itself, which nobody else can */
	return str_eq(jid_bare_str(user), host->parent->domain) ||
		(conf->admins_own &&
			host_is_admin(host->parent, jid_bare_str(user)));
}

enum room_affiliation
room_affiliation(const struct room *r, struct jid jid)
{
	return room_is_ruled_by(r, jid) ? AFF_OWNER :
					  members_affiliation(&r->members, jid);
}

struct room_standing
room_standing(const struct room *r, struct jid full)
{
	struct room_standing as = { ROLE_NONE, room_affiliation(r, full) };
	const struct room_client *c = people_by_address(&r->people, full);
	size_t at = people_by_user_start(&r->people, full);
	const struct occupant *o;

	if (c != NULL)
		return (struct room_standing){ c->occupant->role,
			c->occupant->aff };
	while ((o = people_by_user(&r->people, full, &at)) != NULL)
		as.role = MAX(as.role, o->role);
	return as;
}

bool
room_shows_real(const struct room *r, struct jid jid)
{
	return r->config.whois == WHOIS_ANYONE ||
		room_standing(r, jid).role == ROLE_MODERATOR ||
		room_affiliation(r, jid) >= AFF_ADMIN;
}

bool
room_is_open_to(const struct room *r, struct jid jid)
{
	enum room_affiliation aff = room_affiliation(r, jid);
	size_t at = people_by_user_start(&r->people, jid);

	if (room_is_absent_for(r, jid) || aff == AFF_OUTCAST)
		return false;
	return (!r->config.members_only && !r->config.has_password) ||
		aff >= AFF_MEMBER || people_by_user(&r->people, jid, &at) != NULL;
}

bool
room_is_absent_for(const struct room *r, struct jid user)
{
	return r->state == ROOM_ABSENT || (r->state == ROOM_LOCKED &&
		room_affiliation(r, user) != AFF_OWNER);
}

bool
room_has_archive(const struct room *r)
{
	const struct muc_conf *conf = room_conf(r);

	return r->state == ROOM_OPEN && r->config.archive && conf != NULL &&
		conf->archive != MUC_ARCHIVE_NONE;
}

struct jid
room_occupant_jid(const struct room *r, struct arena *a, struct str nick)
{
	return jid_make(a, jid_local(r->e.jid), jid_domain(r->e.jid), nick);
}

void
room_refuse(struct room *r, struct stanza *st, enum stanza_cond cond,
	const char *type)
{
	room_refuse_why(r, st, cond, type, STR_NONE);
}

void
room_refuse_why(struct room *r, struct stanza *st, enum stanza_cond cond,
	const char *type, struct str why)
{
	struct stanza *answer = stanza_error(st, cond, why);
	struct elem *error;

	if (answer != NULL) {
		error = stanza_child(answer, NS_CLIENT, "error");
		elem_set_attr(answer->arena, error, "by", jid_str(r->e.jid));
		if (type != NULL)
			elem_set_attr(answer->arena, error, "type", str_c(type));
		receipt_move(answer, st);
		router_send(r->e.shard, answer);
	}
	stanza_free(st);
}

/* --- loading ------------------------------------------------------------------------------ */

/* As it is where its owners have said nothing. */
static void
init_config(struct room *r)
{
	const struct muc_conf *conf = room_conf(r);

	room_config_init(&r->config);
	r->config.archive = conf == NULL || conf->archive == MUC_ARCHIVE_DEFAULT;
}

static void
take_config(struct room *r, struct str value)
{
	struct arena *a = arena_new();
	const struct elem *form = stored_read(a, value);
	const char *why;

	r->state = ROOM_OPEN;
	if (form == NULL || !room_config_read(&r->config, a, form, &why)) {
		/* its owners mend it: it is not to be open to all till then */
		room_config_done(&r->config);
		init_config(r);
		r->config.members_only = true;
		r->config.persistent = true;
		log_error(LOG_STORE, entity_who(&r->e),
			"the configuration of a room is damaged, it is for members alone");
	}
	arena_free(a);
}

/* Of a room that somebody has put into the store. */
static void
keep_secret(struct room *r)
{
	struct module_ctx *m = module_of_entity(&r->e);
	struct store_tx *tx;

	if (m == NULL || shard_refuses_writes(r->e.shard))
		return;
	tx = store_tx_new();
	room_secret_store(r, tx);
	module_commit(m, r->e.shard, tx, NULL, NULL);
}

static void
room_take(struct entity *e, const struct store_answer *answer)
{
	struct room *r = room_of(e);
	bool has_secret = false;

	init_config(r);
	people_init(&r->people, &e->shard->server->hash_key);
	r->people.server = e->shard->server;
	members_init(&r->members, &e->shard->server->hash_key);
	r->members.shard = e->shard;
	voices_init(&r->voices, &e->shard->server->hash_key);
	history_init(&r->history);
	joins_init(r);
	room_secret_new(r);
	room_asks_init(&r->asks);
	rand_bytes(e->shard->rand, r->mark_key, sizeof(r->mark_key));
	memcpy(&r->people.ids, r->mark_key, sizeof(r->people.ids));
	r->line = entity_line_new(e);
	STAILQ_INIT(&r->waiting);
	r->audience = audience_new(e->shard, e->hash);
	for (size_t i = 0; i < answer->n; i++) {
		const struct store_entry *entry = &answer->entries[i];

		if (str_is(entry->with, LOG_ARCHIVE))
			room_log_take(r, entry);
		else if (str_is(entry->with, MAP_AFFILIATIONS))
			members_take(&r->members, entry);
		else if (room_secret_take(r, entry))
			has_secret = true;
		else if (str_is(entry->key, "config"))
			take_config(r, entry->value);
		else if (str_is(entry->key, "subject"))
			room_subject_take(r, entry->value);
		else if (str_is(entry->key, KEY_AVATAR))
			room_avatar_take(r, entry->value);
		else if (str_is(entry->key, KEY_USED))
			room_used_take(r, entry->value);
		else if (str_is(entry->key, KEY_MAKER))
			maker_take(&r->maker, entry->value);
	}
	room_count_texts(r);
	if (r->state == ROOM_OPEN && !has_secret)
		keep_secret(r);
}

void
room_forget(struct room *r)
{
	room_config_done(&r->config);
	init_config(r);
	members_done(&r->members);
	members_init(&r->members, &r->e.shard->server->hash_key);
	r->members.shard = r->e.shard;
	maker_done(&r->maker);
	voices_clear(&r->voices);
	history_done(&r->history);
	room_subject_done(r);
	r->used_us = 0;
	r->log = (struct room_log){ .last = 0 };
	room_secret_new(r);
	room_avatar_take(r, STR_NONE);
	room_count_texts(r);
	limits_done(&r->limits);
	r->state = ROOM_ABSENT;
	entity_check_idle(&r->e);
}

/* --- what comes --------------------------------------------------------------------------- */

/* What is said while it opens is said when it is open, and kept as anything else. */
static bool
is_held(const struct room *r)
{
	return r->state == ROOM_GOING || r->looking ||
		(r->state == ROOM_LOCKED && r->submitting);
}

/* st (taken) is received before all that waits already. */
static void
wait_first(struct room *r, struct stanza *st)
{
	STAILQ_INSERT_HEAD(&r->waiting, st, link);
	r->waiting_bytes += stanza_bytes(st);
}

/* Who comes again has gone, though what he has said last is not out yet. */
static struct room_client *
client_of(struct room *r, const struct stanza *st)
{
	struct room_client *c = people_by_address(&r->people, st->from);

	if (c == NULL || !c->leaving)
		return c;
	room_presence(r, c, stanza_new(PRESENCE_UNAVAILABLE, st->from, st->to,
				    STR_NONE));
	return NULL;
}

static void
receive_presence(struct room *r, struct stanza *st)
{
	struct room_client *c = client_of(r, st);
	bool enters = st->type == PRESENCE_AVAILABLE &&
		stanza_child(st, NS_MUC, "x") != NULL;

	if (c != NULL && st->type == PRESENCE_UNAVAILABLE &&
		st->gone != GONE_STOP && room_leaves_in_turn(r, c, st))
		return;
	if (is_held(r)) { /* it goes with who has just gone */
		wait_first(r, st);
	} else if (enters) {
		room_enter(r, st);
	} else if (c != NULL && st->gone == GONE_STOP) {
		room_parts(r, c);
		stanza_free(st);
	} else if (c != NULL &&
		(st->type == PRESENCE_AVAILABLE ||
			st->type == PRESENCE_UNAVAILABLE)) {
		room_presence(r, c, st);
	} else if (st->type == PRESENCE_AVAILABLE) {
		room_not_in(r, st);
	} else {
		if (c != NULL && st->type == PRESENCE_ERROR)
			room_missed(r, c, 0);
		stanza_free(st); /* §17.3, 2, 4 and 5 */
	}
}

/* Those that say that somebody has not got what he was sent (§18.1.2 has some of them); not
 * those by which his client says what it thinks of it. */
static bool
says_lost(const struct stanza *st)
{
	static const char *const lost[] = { "gone", "internal-server-error",
		"item-not-found", "jid-malformed", "recipient-unavailable",
		"redirect", "service-unavailable", "remote-server-not-found",
		"remote-server-timeout", "resource-constraint" };
	const struct elem *error = stanza_child(st, NS_CLIENT, "error");

	for (size_t i = 0; error != NULL && i < COUNT(lost); i++) {
		if (elem_child(error, NS_STANZAS, lost[i]) != NULL)
			return true;
	}
	return false;
}

/* An error that came back: of what all were told, or of a private message. */
static void
receive_error(struct room *r, struct stanza *st)
{
	struct room_client *c = people_by_address(&r->people, st->from);

	if (c != NULL && people_had_private(&r->people, c, st->id)) {
		room_private(r, st);
		return;
	}
	if (!room_archive_lost(r, st) && c != NULL && says_lost(st))
		room_missed(r, c, 0);
	stanza_free(st);
}

static void
receive_message(struct room *r, struct stanza *st)
{
	if (st->type == MESSAGE_ERROR)
		receive_error(r, st);
	else if (!jid_is_bare(st->to))
		room_private(r, st);
	else if (st->type == MESSAGE_GROUPCHAT)
		room_message(r, st);
	else if (st->type == MESSAGE_HEADLINE)
		stanza_free(st);
	else
		room_asked(r, st);
}

static void
receive_now(struct room *r, struct stanza *st)
{
	if (room_conf(r) == NULL)
		router_bounce(r->e.shard, st, COND_ITEM_NOT_FOUND, NULL);
	else if (st->kind == STANZA_PRESENCE)
		receive_presence(r, st);
	else if (st->kind == STANZA_MESSAGE)
		receive_message(r, st);
	else if (!jid_is_bare(st->to))
		room_private(r, st);
	else if ((st->type == IQ_GET || st->type == IQ_SET) &&
		room_is_absent_for(r, st->from))
		router_bounce(r->e.shard, st, COND_ITEM_NOT_FOUND, NULL);
	else
		entity_receive_default(&r->e, st);
}

/* A temporary room that nobody is in, and has come to for an hour since the server was
 * started: its end has been prevented (§11.2).  Until then it waits for those who were in
 * it.  When the server stops, they have been written. */
static bool
is_left_over(const struct room *r)
{
	const struct shard *sh = r->e.shard;

	return r->state == ROOM_OPEN && !r->config.persistent &&
		r->people.n == 0 && !r->e.saved && !r->submitting && !r->looking &&
		entity_line_is_empty(r->line) &&
		sh->now_us - sh->server->started_us > RETURN_US;
}

/* As an inbox, with the same bound. */
static void
room_receive(struct entity *e, struct stanza *st)
{
	struct room *r = room_of(e);
	size_t bytes = stanza_bytes(st);

	if (is_left_over(r))
		room_destroy(r);
	if (!is_held(r)) {
		receive_now(r, st);
	} else if (r->waiting_bytes != 0 && r->waiting_bytes + bytes >
			entity_line_most(e->shard, st)) {
		router_bounce(e->shard, st, COND_RESOURCE_CONSTRAINT, NULL);
	} else {
		STAILQ_INSERT_TAIL(&r->waiting, st, link);
		r->waiting_bytes += bytes;
	}
}

void
room_go_on(struct room *r)
{
	struct stanza *st;

	while (!is_held(r) &&
		(st = STAILQ_FIRST(&r->waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&r->waiting, link);
		r->waiting_bytes -= stanza_bytes(st);
		receive_now(r, st);
	}
	entity_go_on(&r->e);
}

/* What comes while it is being deleted is for what there is then. */
static bool
room_is_held(const struct entity *e)
{
	return is_held((const void *)e);
}

/* --- leaving ------------------------------------------------------------------------------ */

static bool
room_is_idle(const struct entity *e)
{
	const struct room *r = (const void *)e;

	return r->people.n == 0 && entity_line_is_empty(r->line) &&
		TAILQ_EMPTY(&r->asks.all) && !is_held(r);
}

static bool
room_is_absent(const struct entity *e)
{
	return ((const struct room *)(const void *)e)->state == ROOM_ABSENT;
}

static bool
room_is_item(const struct entity *e, struct arena *a, struct elem *item)
{
	const struct room *r = (const void *)e;

	if (r->state != ROOM_OPEN || !r->config.is_public)
		return false;
	elem_set_attr(a, item, "name",
		r->config.name != NULL ? str_c(r->config.name) :
					 jid_local(e->jid));
	return true;
}

/* The service is switched off, or gets another domain (§11.2). */
static void
room_retire(struct entity *e)
{
	struct room *r = room_of(e);
	struct room_note note = { .codes = { 332 } };
	struct occupant *o;
	struct room_client *c;
	struct stanza *st;

	while ((st = STAILQ_FIRST(&r->waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&r->waiting, link);
		router_bounce(e->shard, st, COND_ITEM_NOT_FOUND, NULL);
	}
	TAILQ_FOREACH (o, &r->people.occupants, link)
		TAILQ_FOREACH (c, &o->clients, link)
			room_show_gone_own(r, c, &note);
}

static void
room_unload(struct entity *e)
{
	struct room *r = room_of(e);
	struct stanza *st;

	while ((st = STAILQ_FIRST(&r->waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&r->waiting, link);
		stanza_free(st);
	}
	shard_timer_cancel(e->shard, &r->missing);
	entity_line_free(r->line);
	joins_done(r);
	room_asks_done(&r->asks);
	people_done(&r->people);
	voices_done(&r->voices);
	members_done(&r->members);
	maker_done(&r->maker);
	history_done(&r->history);
	limits_done(&r->limits);
	room_avatar_take(r, STR_NONE);
	room_config_done(&r->config);
	audience_free(r->audience);
	room_subject_done(r);
	memuse_count(MEMUSE_ROOM, 0, -r->text_bytes);
}

const struct entity_class muc_room_class = {
	.name = "room",
	.size = sizeof(struct room),
	.memuse = MEMUSE_ROOM,
	.has_clients = true,
	.has_line = true,
	.maps = (const char *const[]){ MAP_ROOM, MAP_AFFILIATIONS,
		LOG_ARCHIVE, NULL },
	.take = room_take,
	.receive = room_receive,
	.told = room_told,
	.missed = room_on_missed,
	.is_held = room_is_held,
	.is_idle = room_is_idle,
	.is_absent = room_is_absent,
	.is_item = room_is_item,
	.retire = room_retire,
	.asleep = MAP_ASLEEP,
	.save = room_save,
	.wake = room_wake,
	.unload = room_unload,
};
