/*
 * account_admin.c - accounts are created, changed and removed: what each is told
 * (core/entity_message.h), and what it answers when that is durable.
 *
 * Owner shard, but for the functions that ask: any.
 */
#include "config.h"

#include "base/err.h"
#include "base/mem.h"
#include "xmpp/datetime.h"
#include "core/entity_message.h"
#include "core/host.h"
#include "core/router.h"
#include "core/server.h"
#include "core/slot.h"
#include "account/account_int.h"
#include "account/contacts.h"
#include "account/session.h"
#include "account/session_out.h"

/* --- what they are told -------------------------------------------------------- */

struct told {
	void (*perform)(struct account *acc, struct entity_message *m);
	/* When it is durable; m is answered.  NULL: it stores nothing. */
	void (*took_effect)(struct account *acc, struct entity_message *m);
};

static const struct told *told_of(const struct entity_message *m);

void
account_told(struct entity *e, struct entity_message *m)
{
	told_of(m)->perform(account_of(e), m);
}

/* --- storing it ------------------------------------------------------------------ */

static void
message_take_effect(struct entity *e, void *arg)
{
	struct entity_message *m = arg;
	/* its domain may have become a service's */
	struct account *acc = account_if(e);

	if (acc != NULL)
		told_of(m)->took_effect(acc, m);
	else
		entity_answer(m, NULL);
}

/* A removal that failed: what came meanwhile meets the account as it is. */
static void
message_undo(struct entity_message *m, struct account *acc,
	const struct err *err)
{
	if (acc != NULL && m->kind == TELL_REMOVE) {
		acc->removing = false;
		account_reload(acc);
	}
	entity_answer(m, err);
}

/* The account stays in memory while an operation is under way, so that one that
 * is there now is the same, unless it could not be read meanwhile. */
static void
on_message_durable(void *arg, bool ok, const struct err *err)
{
	struct entity_message *m = arg;
	struct entity *e = entity_find(m->here, jid_str(m->to));
	struct account *acc = account_if(e);

	if (!ok) {
		message_undo(m, acc, err);
	} else if (acc != NULL) {
		message_take_effect(e, m);
	} else if (e != NULL) {
		/* one that is being read may read what was before */
		entity_when_loaded(e, message_take_effect, m);
	} else {
		entity_answer(m, NULL);
	}
	if (acc == NULL)
		return;
	acc->n_ops -= acc->n_ops != 0;
	entity_check_idle(e);
}

/* acc stays in memory until it is durable. */
static void
message_commit(struct account *acc, struct entity_message *m,
	struct store_tx *tx)
{
	acc->n_ops++;
	account_hold_changed(acc);
	shard_commit(m->here, tx, on_message_durable, m);
}

void
account_close_sessions(struct account *acc, struct str keep, enum stream_cond cond,
	const char *text)
{
	struct session *s, *next;

	for (s = acc->sessions; s != NULL; s = next) {
		next = s->next;
		if (keep.p == NULL || !str_eq(session_resource(s), keep))
			session_close(s, cond, text);
	}
}

/* --- create -------------------------------------------------------------------------- */

static void
create_took_effect(struct account *acc, struct entity_message *m)
{
	acc->exists = true;
	/* the name may have been that of a temporary one (XEP-0175) */
	acc->anonymous = false;
	acc->credentials_mark = account_credentials_mark(m->here->server,
		m->text);
	hook_run(account_host(acc), HOOK_ACCOUNT_CREATED, acc);
	entity_answer(m, NULL);
	entity_check_idle(&acc->e);
}

static void
create_perform(struct account *acc, struct entity_message *m)
{
	struct store_place at = account_place(acc, MAP_ACCOUNT);
	char now[DATETIME_SIZE];
	struct store_tx *tx;

	if (acc->exists) {
		entity_refuse(m, ERR_CONFLICT, "the account exists already");
		return;
	}
	tx = store_tx_new();
	store_tx_create(tx, at, STR(KEY_CREATED),
		datetime_format(now, shard_wall_us(m->here)));
	store_tx_set(tx, at, STR(KEY_CREDENTIALS), m->text);
	message_commit(acc, m, tx);
}

void
account_create(struct shard *from, struct jid bare, struct str creds_text,
	account_done_fn done, void *arg)
{
	entity_ask(from,
		&(struct entity_message){
			.kind = TELL_CREATE,
			.to = bare,
			.text = creds_text,
		},
		done, arg);
}

/* --- new credentials ------------------------------------------------------------------- */

static void
credentials_took_effect(struct account *acc, struct entity_message *m)
{
	acc->credentials_mark = account_credentials_mark(m->here->server,
		m->text);
	account_close_sessions(acc, m->resource, STREAM_NOT_AUTHORIZED,
		"The password was changed");
	entity_answer(m, NULL);
}

static void
credentials_perform(struct account *acc, struct entity_message *m)
{
	struct store_place at = account_place(acc, MAP_ACCOUNT);
	struct store_tx *tx;

	if (!acc->exists || acc->anonymous) {
		entity_refuse(m, ERR_MISSING, "there is no such account");
		return;
	}
	tx = store_tx_new();
	store_tx_require(tx, at, STR(KEY_CREATED));
	store_tx_set(tx, at, STR(KEY_CREDENTIALS), m->text);
	message_commit(acc, m, tx);
}

void
account_set_credentials(struct shard *from, struct jid bare,
	struct str creds_text, struct str keep, account_done_fn done, void *arg)
{
	entity_ask(from,
		&(struct entity_message){
			.kind = TELL_SET_CREDENTIALS,
			.to = bare,
			.text = creds_text,
			.resource = keep,
		},
		done, arg);
}

/* --- remove ---------------------------------------------------------------------------- */

/* Whoever asked may be one of the sessions: what they have asked for is answered
 * first. */
static void
remove_end(struct entity *e, void *arg)
{
	struct account *acc = e != NULL ? account_of(e) : NULL;

	(void)arg;
	if (acc == NULL)
		return;
	acc->n_ops++;
	router_run(e->shard);
	acc->removing = false;
	account_close_sessions(acc, STR_NONE, STREAM_NOT_AUTHORIZED,
		"The account was removed");
	slot_drop_all(&acc->e.slots, &acc->e);
	acc->n_ops--;
	entity_check_idle(e);
}

/* Contacts are told now, when nothing can bring it back. */
static void
remove_took_effect(struct account *acc, struct entity_message *m)
{
	hook_run(account_host(acc), HOOK_ACCOUNT_REMOVING, acc);
	acc->exists = false;
	acc->credentials_mark = 0;
	contacts_drop(acc);
	roster_done(&acc->roster);
	entity_answer(m, NULL);
	if (acc->hold != NULL)
		account_release(acc);
	/* behind those who wait: another one that removes it, for one */
	entity_when_loaded(&acc->e, remove_end, NULL);
}

static void
remove_commit(struct account *acc, struct entity_message *m,
	const struct store_answer *elsewhere)
{
	struct store_tx *tx = store_tx_new();

	store_tx_clear_owner(tx, account_domain(acc), account_local(acc));
	hook_run(account_host(acc), HOOK_ACCOUNT_REMOVE,
		&(struct account_removal){ acc, tx, elsewhere->entries,
			elsewhere->n });
	message_commit(acc, m, tx);
}

static void
on_elsewhere(void *arg, const struct store_answer *elsewhere,
	const struct err *err)
{
	struct entity_message *m = arg;
	struct account *acc =
		account_if(entity_find(m->here, jid_str(m->to)));

	if (acc == NULL) {
		entity_refuse(m, ERR_BUSY, "it could not be kept in memory");
		return;
	}
	if (err == NULL)
		remove_commit(acc, m, elsewhere);
	else
		message_undo(m, acc, err);
	acc->n_ops -= acc->n_ops != 0;
	entity_check_idle(&acc->e);
}

/* What modules have of it elsewhere is found by maps that are read for this alone. */
static void
remove_read(struct account *acc, struct entity_message *m)
{
	const struct host *host = account_host(acc);

	if (host == NULL || host->removal_maps.n == 0) {
		remove_commit(acc, m, &(struct store_answer){ .n = 0 });
		return;
	}
	acc->n_ops++;
	store_list_many(m->here->server->store, account_domain(acc),
		account_local(acc), host->removal_maps.p, host->removal_maps.n,
		&m->here->mailbox, on_elsewhere, m);
}

/* It is held, so that what comes meanwhile meets it as it will be. */
static void
remove_perform(struct account *acc, struct entity_message *m)
{
	if (!acc->exists || acc->anonymous) {
		entity_refuse(m, ERR_MISSING, "there is no such account");
		return;
	}
	if (shard_refuses_writes(acc->e.shard)) {
		entity_refuse(m, ERR_DISK, SHARD_REFUSES_TEXT);
		return;
	}
	acc->removing = true;
	account_hold(acc);
	remove_read(acc, m);
}

void
account_remove(struct shard *from, struct jid bare, account_done_fn done,
	void *arg)
{
	entity_ask(from,
		&(struct entity_message){
			.kind = TELL_REMOVE,
			.to = bare,
		},
		done, arg);
}

/* --- kick -------------------------------------------------------------------------------- */

static void
kick_perform(struct account *acc, struct entity_message *m)
{
	struct session *s = acc->sessions;

	if (m->resource.p != NULL)
		s = session_find(acc, m->resource);
	if (s == NULL) {
		entity_refuse(m, ERR_MISSING, m->resource.p != NULL ?
			"there is no session of that resource" :
			"there is no session");
		return;
	}
	if (m->resource.p != NULL)
		session_close(s, STREAM_POLICY_VIOLATION, m->text.p);
	else
		account_close_sessions(acc, STR_NONE, STREAM_POLICY_VIOLATION,
			m->text.p);
	entity_answer(m, NULL);
}

void
account_kick(struct shard *from, struct jid bare, struct str resource,
	const char *text, account_done_fn done, void *arg)
{
	entity_ask(from,
		&(struct entity_message){
			.kind = TELL_KICK,
			.to = bare,
			.text = str_c(text),
			.resource = resource,
		},
		done, arg);
}

/* --- presence ---------------------------------------------------------------------------- */

static void
presence_perform(struct account *acc, struct entity_message *m)
{
	for (const struct session *s = acc->sessions; s != NULL; s = s->next) {
		struct stanza *st;

		if (!session_is_visible(s))
			continue;
		st = session_presence(s);
		st->made_here = true; /* who asked for it may have gone */
		stanza_set_to(st, jid_trusted(m->text));
		account_send(acc, st);
	}
	entity_answer(m, NULL);
}

/* --- trace ------------------------------------------------------------------------------- */

static void
trace_perform(struct account *acc, struct entity_message *m)
{
	if (!acc->exists) {
		entity_refuse(m, ERR_MISSING, "there is no such account");
		return;
	}
	acc->traced = m->number[0] != 0;
	entity_answer(m, NULL);
}

void
account_trace(struct shard *from, struct jid bare, bool on, account_done_fn done,
	void *arg)
{
	entity_ask(from,
		&(struct entity_message){
			.kind = TELL_TRACE,
			.to = bare,
			.number = { on },
		},
		done, arg);
}

/* --- is it there? -------------------------------------------------------------------------- */

/* One that is to end at once nobody comes back to. */
static void
there_perform(struct account *acc, struct entity_message *m)
{
	const struct session *s = session_find(acc, m->resource);

	if (s == NULL || (s->state == SESSION_ASLEEP && s->out->sleep_us == 0))
		entity_refuse(m, ERR_MISSING, "it is not there");
	else
		entity_answer(m, NULL);
}

/* What a module has stored of another one names it by mistake. */
static void
gone_perform(struct account *acc, struct entity_message *m)
{
	(void)acc;
	entity_refuse(m, ERR_REFUSED, "it is an account");
}

/* --- the table ------------------------------------------------------------------------------- */

static const struct told *
told_of(const struct entity_message *m)
{
	static const struct told all[] = {
		[TELL_CREATE] = { create_perform, create_took_effect },
		[TELL_SET_CREDENTIALS] = { credentials_perform,
			credentials_took_effect },
		[TELL_REMOVE] = { remove_perform, remove_took_effect },
		[TELL_KICK] = { kick_perform, NULL },
		[TELL_TRACE] = { trace_perform, NULL },
		[TELL_CREATED] = { account_batch_told, NULL },
		[TELL_REST] = { session_flow_told, NULL },
		[TELL_SHOW_PRESENCE] = { presence_perform, NULL },
		[TELL_PASSED_ON] = { requests_told, NULL },
		[TELL_DOMAIN_AWAY] = { account_remote_told, NULL },
		[TELL_DOMAIN_BACK] = { account_remote_told, NULL },
		[TELL_ACCOUNT_GONE] = { gone_perform, NULL },
		[TELL_IS_THERE] = { there_perform, NULL },
		[TELL_STILL_WATCHES] = { account_remote_told, NULL },
	};

	return &all[m->kind];
}

/* --- credentials, read only ------------------------------------------------------------------ */

struct credentials_read {
	account_credentials_fn fn;
	void *arg;
};

static void
on_credentials(void *arg, const struct store_answer *answer,
	const struct err *err)
{
	struct credentials_read read = *(struct credentials_read *)arg;

	free(arg);
	/* no copy is made of it, which would take time for those who exist */
	read.fn(read.arg,
		err == NULL && answer->n != 0 ? answer->entries[0].value :
						STR_NONE,
		err);
}

void
account_credentials(struct shard *from, struct jid bare,
	account_credentials_fn fn, void *arg)
{
	struct credentials_read *read = xmalloc(sizeof(*read));
	struct store_place at = {
		.host = jid_domain(bare),
		.owner = jid_local(bare),
		.name = STR(MAP_ACCOUNT),
	};

	*read = (struct credentials_read){ fn, arg };
	store_get(from->server->store, at, STR(KEY_CREDENTIALS),
		&from->mailbox, on_credentials, read);
}
