/*
 * account.c - the entity of a local user: how it is loaded and unloaded.
 */
#include "config.h"

#include "account/account.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/tag.h"
#include "xmpp/subscription.h"
#include "core/host.h"
#include "core/module_ctx.h"
#include "core/route.h"
#include "core/slot.h"
#include "account/account_int.h"
#include "account/block_list.h"
#include "account/contacts.h"
#include "account/session.h"
#include "account/sessions_stop.h"
#include "account/sessions_wake.h"

#define MAPS_MAX 64
/* Of a session's full address, as most are. */
#define SESSION_BYTES 48

struct str
account_local(const struct account *acc)
{
	return jid_local(acc->e.jid);
}

struct str
account_domain(const struct account *acc)
{
	return jid_domain(acc->e.jid);
}

struct host *
account_host_of(const struct snapshot *snap, struct str domain)
{
	struct host *host = snapshot_host(snap, domain);

	return host != NULL && host->address_class == &account_class ? host :
								       NULL;
}

struct host *
account_host(const struct account *acc)
{
	return account_host_of(acc->e.shard->snap, account_domain(acc));
}

struct store_place
account_place(const struct account *acc, const char *name)
{
	return entity_place(&acc->e, name);
}

struct account *
account_find(struct shard *sh, struct str bare)
{
	return account_if(entity_find(sh, bare));
}

struct entity *
account_get(struct shard *sh, struct jid bare, struct err *err)
{
	struct route r = route(sh, bare);
	struct entity *e;

	if (r.class != &account_class) {
		err_set(err, ERR_MISSING, "this domain is not served here");
		return NULL;
	}
	e = entity_get(sh, r.class, r.key, r.hash);
	if (e == NULL)
		err_set(err, ERR_LIMIT, "too many accounts are in memory");
	return e;
}

void
account_serve(struct host *host)
{
	host->address_class = &account_class;
}

uint64_t
account_credentials_mark(const struct server *srv, struct str text)
{
	uint64_t hash = hash_bytes(&srv->hash_key, text.p, text.n);

	return hash != 0 ? hash : 1;
}

bool
account_shows_presence_to(const struct account *acc, struct jid who)
{
	return jid_eq_bare(acc->e.jid, who) ||
		((roster_state(&acc->roster, jid_bare_str(who)) & SUB_FROM) !=
				0 &&
			!account_blocks(acc, who));
}

bool
account_is_stranger(const struct account *acc, struct jid who)
{
	const struct roster_item *it =
		roster_find(&acc->roster, jid_bare_str(who));

	if (str_eq(jid_domain(who), account_domain(acc)) &&
		(jid_local(who).n == 0 || jid_eq_bare(who, acc->e.jid)))
		return false;
	return it == NULL || !it->listed;
}

/* --- loading ------------------------------------------------------------------- */

/* A read in flight. */
struct account_read {
	uint32_t tag;
	struct entity_ref who;
	uint64_t serial; /* of the snapshot that named the maps */
};

static void
account_take_entry(struct account *acc, const struct store_entry *entry)
{
	if (str_is(entry->with, MAP_ACCOUNT)) {
		if (str_is(entry->key, KEY_CREATED) ||
			str_is(entry->key, KEY_CREDENTIALS))
			acc->exists = true;
		if (str_is(entry->key, KEY_CREDENTIALS))
			acc->credentials_mark = account_credentials_mark(
				acc->e.shard->server, entry->value);
	} else if (str_is(entry->with, MAP_ROSTER)) {
		if (!roster_load(&acc->roster, acc->e.shard->xml, entry) &&
			log_limit_ok(&acc->e.shard->storage, LOG_ROSTER))
			log_error(LOG_ROSTER, LOG_NOBODY,
				"a stored contact cannot be read, it is left out account=%.*s contact=%.*s",
				STR_ARG(jid_str(acc->e.jid)),
				STR_ARG(entry->key));
	}
}

void
account_take(struct account *acc, const struct store_answer *answer)
{
	struct account_load load = { acc, answer->entries, answer->n };

	for (size_t i = 0; i < answer->n; i++)
		account_take_entry(acc, &answer->entries[i]);
	roster_trim(&acc->roster);
	hook_run(account_host(acc), HOOK_ACCOUNT_LOAD, &load);
}

void
account_forget(struct account *acc)
{
	acc->exists = false;
	acc->credentials_mark = 0;
	contacts_drop(acc);
	roster_done(&acc->roster);
	acc->roster.version = 0;
	slot_drop_all(&acc->e.slots, &acc->e);
}

struct account_read *
account_read(struct account *acc, store_read_fn fn)
{
	struct entity *e = &acc->e;
	const struct host *host = account_host(acc);
	struct str maps[MAPS_MAX] = { STR(MAP_ACCOUNT), STR(MAP_ROSTER) };
	struct account_read *read = xmalloc(sizeof(*read));
	size_t n = 2;

	for (size_t i = 0; host != NULL && i < host->maps.n && n < MAPS_MAX;
		i++)
		maps[n++] = host->maps.p[i];
	TAG_SET(read, "acrd");
	entity_ref(&read->who, e);
	read->serial = e->shard->snap->serial;
	store_list_many(e->shard->server->store, account_domain(acc),
		account_local(acc), maps, n, &e->shard->mailbox, fn, read);
	return read;
}

struct entity *
account_read_entity(const struct account_read *read)
{
	TAG_CHECK(read, "acrd");
	return read->who.e;
}

bool
account_read_is_fresh(const struct account_read *read)
{
	return read->serial == read->who.shard->snap->serial;
}

void
account_read_free(struct account_read *read)
{
	entity_ref_end(&read->who);
	TAG_CLEAR(read);
	free(read);
}

static void account_load(struct entity *e);

static void
on_account_read(void *arg, const struct store_answer *answer,
	const struct err *err)
{
	struct account_read *read = arg;
	struct entity *e = account_read_entity(read);
	bool fresh = account_read_is_fresh(read);

	account_read_free(read);
	if (e == NULL)
		return;
	if (err != NULL) {
		entity_failed(e, err);
	} else if (!fresh) {
		account_load(e);
	} else {
		account_take(account_of(e), answer);
		entity_loaded(e);
	}
}

static void
account_load(struct entity *e)
{
	(void)account_read(account_of(e), on_account_read);
}

static void
account_load_absent(struct entity *e)
{
	struct account_load load = { .account = account_of(e) };

	hook_run(account_host(load.account), HOOK_ACCOUNT_LOAD, &load);
}

/* The first session stands for all: few accounts have more. */
static void
account_warm(const struct entity *e, unsigned step)
{
	const struct account *acc = (const struct account *)(const void *)e;
	const struct session *s = acc->sessions;

	if (step == 0)
		mem_warm(s, s != NULL ? sizeof(*s) + SESSION_BYTES : 0);
	else if (s != NULL && s->stream != NULL && s->ops->warm != NULL)
		s->ops->warm(s->stream, step - 1);
}

static bool
account_is_idle(const struct entity *e)
{
	const struct account *acc = (const struct account *)(const void *)e;

	return acc->sessions == NULL && acc->n_ops == 0 && acc->hold == NULL &&
		account_line_is_empty(acc) && LIST_EMPTY(&acc->line.asides);
}

static bool
account_is_absent(const struct entity *e)
{
	const struct account *acc = (const struct account *)(const void *)e;

	return !acc->exists;
}

static void
account_unload(struct entity *e)
{
	struct account *acc = account_of(e);

	while (acc->sessions != NULL)
		session_free(acc->sessions);
	account_hold_done(acc);
	account_line_done(acc);
	contacts_drop(acc);
	roster_done(&acc->roster);
}

static void
account_forget_module(struct entity *e, const struct module_entry *entry)
{
	struct account *acc = account_of(e);

	for (struct session *s = acc->sessions; s != NULL; s = s->next)
		slot_drop(&s->slots, &entry->session_slot, s);
}

static void
account_read_anew(struct entity *e)
{
	account_reload(account_of(e));
}

static bool
account_close(struct entity *e, enum stream_cond cond, const char *text)
{
	struct account *acc = account_of(e);

	if (acc->sessions == NULL)
		return false;
	account_hold_give_up(acc);
	account_close_sessions(acc, STR_NONE, cond, text);
	return true;
}

const struct entity_class account_class = {
	.name = "account",
	.size = sizeof(struct account),
	.has_clients = true,
	.load = account_load,
	.load_absent = account_load_absent,
	.receive = account_receive,
	.receive_shared = account_receive_shared,
	.told = account_told,
	.iq_where = account_iq_where,
	.warm = account_warm,
	.is_held = account_is_held,
	.is_idle = account_is_idle,
	.is_absent = account_is_absent,
	.forget_module = account_forget_module,
	.reload = account_read_anew,
	.close = account_close,
	.asleep = MAP_SESSIONS,
	.save = account_save,
	.wake = account_woken,
	.unload = account_unload,
};
