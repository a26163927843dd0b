/*
 * account_admin.c - accounts are created, changed and removed: each operation
 * travels to the shard that owns the account, waits until its effect is
 * durable, and returns to the shard that asked.
 */
#include "config.h"

#include "base/err.h"
#include "base/mem.h"
#include "xmpp/datetime.h"
#include "core/host.h"
#include "core/place.h"
#include "core/router.h"
#include "core/server.h"
#include "core/slot.h"
#include "account/account_int.h"
#include "account/session.h"

struct account_op {
	struct place from;
	struct shard *owner; /* once it has arrived */
	void (*perform)(struct account *acc, struct account_op *op);
	/* when it is durable; acc is NULL if it has left memory meanwhile */
	void (*took_effect)(struct account *acc, struct account_op *op);
	account_done_fn done;
	account_credentials_fn credentials_done;
	void *arg;
	bool removes;
	struct err err; /* code ERR_NONE: it worked */
	struct jid jid; /* bare */
	char *jid_text;
	char *text;     /* credentials, or a reason */
	char *resource; /* NULL: none */
};

static struct account_op *
op_new(struct shard *from, struct jid bare, struct str text, struct str resource,
	account_done_fn done, void *arg)
{
	struct account_op *op = xcalloc(1, sizeof(*op));

	op->from = place_of_shard(from);
	op->jid_text = str_dup(jid_bare_str(bare));
	op->jid = jid_bare(bare);
	op->jid.text = op->jid_text;
	op->text = text.p != NULL ? str_dup(text) : NULL;
	op->resource = resource.p != NULL ? str_dup(resource) : NULL;
	op->done = done;
	op->arg = arg;
	return op;
}

static void
op_free(struct account_op *op)
{
	free(op->jid_text);
	if (op->text != NULL)
		mem_wipe_free(op->text, strlen(op->text));
	free(op->resource);
	free(op);
}

/* --- back to who asked ----------------------------------------------------------- */

static void
op_answer(struct shard *sh, void *arg)
{
	struct account_op *op = arg;
	bool ok = op->err.code == ERR_NONE;

	(void)sh;
	if (op->done != NULL)
		op->done(op->arg, ok, ok ? NULL : &op->err);
	op_free(op);
}

static void
op_finish(struct account_op *op)
{
	struct shard *sh = op->owner;

	if (place_is_here(sh, op->from))
		op_answer(sh, op);
	else
		place_post(sh->server, op->from, op_answer, op, 0);
}

static void
op_refuse(struct account_op *op, enum err_code code, const char *text)
{
	err_set(&op->err, code, "%s: %s", op->jid_text, text);
	op_finish(op);
}

/* --- at the owner ------------------------------------------------------------------ */

static void
op_loaded(struct entity *e, void *arg)
{
	struct account_op *op = arg;

	if (e == NULL)
		op_refuse(op, ERR_STORAGE, "the account cannot be read");
	else
		op->perform(account_of(e), op);
}

static void
op_arrive(struct shard *sh, void *arg)
{
	struct account_op *op = arg;
	struct entity *e;

	op->owner = sh;
	if (shard_host(sh, jid_domain(op->jid)) == NULL) {
		op_refuse(op, ERR_MISSING, "this domain is not served here");
		return;
	}
	e = entity_get(sh, &account_class, op->jid);
	if (e == NULL)
		op_refuse(op, ERR_LIMIT, "too many accounts are in memory");
	else
		entity_when_loaded(e, op_loaded, op);
}

static void
op_start(struct shard *from, struct account_op *op)
{
	struct place owner =
		server_place_of(from->server, jid_str(op->jid));

	/* even on its own shard: nobody is answered before he has asked */
	place_post(from->server, owner, op_arrive, op, 0);
}

static void
op_take_effect(struct entity *e, void *arg)
{
	struct account_op *op = arg;

	if (e != NULL)
		op->took_effect(account_of(e), op);
	else
		op_finish(op);
}

/* A removal that failed: what came meanwhile meets the account as it is. */
static void
op_undo(struct account_op *op, struct account *acc)
{
	if (acc != NULL && op->removes) {
		acc->removing = false;
		account_reload(acc);
	}
	op_finish(op);
}

/* The account stays in memory while an operation is under way, so that one that
 * is there now is the same, unless it could not be read meanwhile. */
static void
on_op_durable(void *arg, bool ok, const struct err *err)
{
	struct account_op *op = arg;
	struct entity *e = entity_find(op->owner, jid_str(op->jid));
	struct account *acc = e != NULL && e->state == ENTITY_LOADED ?
		account_of(e) :
		NULL;

	if (!ok) {
		op->err = *err;
		op_undo(op, acc);
	} else if (acc != NULL) {
		op_take_effect(e, op);
	} else if (e != NULL) {
		/* one that is being read may read what was before */
		entity_when_loaded(e, op_take_effect, op);
	} else {
		op_finish(op);
	}
	if (acc == NULL)
		return;
	acc->n_ops -= acc->n_ops != 0;
	entity_check_idle(e);
}

/* acc stays in memory until it is durable. */
static void
op_commit(struct account *acc, struct account_op *op, struct store_tx *tx)
{
	acc->n_ops++;
	account_hold_changed(acc);
	store_commit(op->owner->server->store, tx, &op->owner->mailbox,
		on_op_durable, op);
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
create_took_effect(struct account *acc, struct account_op *op)
{
	acc->exists = true;
	/* the name may have been that of a temporary one (XEP-0175) */
	acc->anonymous = false;
	acc->credentials_mark = account_credentials_mark(op->owner->server,
		str_c(op->text));
	hook_run(account_host(acc), HOOK_ACCOUNT_CREATED, acc);
	op_finish(op);
	entity_check_idle(&acc->e);
}

static void
create_perform(struct account *acc, struct account_op *op)
{
	struct store_place at = account_place(acc, MAP_ACCOUNT);
	char now[DATETIME_SIZE];
	struct store_tx *tx;

	if (acc->exists) {
		op_refuse(op, ERR_CONFLICT, "the account exists already");
		return;
	}
	tx = store_tx_new();
	store_tx_create(tx, at, STR(KEY_CREATED),
		datetime_format(now, shard_wall_us(op->owner)));
	store_tx_set(tx, at, STR(KEY_CREDENTIALS), str_c(op->text));
	op->took_effect = create_took_effect;
	op_commit(acc, op, tx);
}

void
account_create(struct shard *from, struct jid bare, struct str creds_text,
	account_done_fn done, void *arg)
{
	struct account_op *op =
		op_new(from, bare, creds_text, STR_NONE, done, arg);

	op->perform = create_perform;
	op_start(from, op);
}

/* --- new credentials ------------------------------------------------------------------- */

static void
credentials_took_effect(struct account *acc, struct account_op *op)
{
	acc->credentials_mark = account_credentials_mark(op->owner->server,
		str_c(op->text));
	account_close_sessions(acc, str_c(op->resource), STREAM_NOT_AUTHORIZED,
		"The password was changed");
	op_finish(op);
}

static void
credentials_perform(struct account *acc, struct account_op *op)
{
	struct store_place at = account_place(acc, MAP_ACCOUNT);
	struct store_tx *tx;

	if (!acc->exists || acc->anonymous) {
		op_refuse(op, ERR_MISSING, "there is no such account");
		return;
	}
	tx = store_tx_new();
	store_tx_require(tx, at, STR(KEY_CREATED));
	store_tx_set(tx, at, STR(KEY_CREDENTIALS), str_c(op->text));
	op->took_effect = credentials_took_effect;
	op_commit(acc, op, tx);
}

void
account_set_credentials(struct shard *from, struct jid bare,
	struct str creds_text, struct str keep, account_done_fn done, void *arg)
{
	struct account_op *op = op_new(from, bare, creds_text, keep, done, arg);

	op->perform = credentials_perform;
	op_start(from, op);
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
remove_took_effect(struct account *acc, struct account_op *op)
{
	hook_run(account_host(acc), HOOK_ACCOUNT_REMOVING, acc);
	acc->exists = false;
	acc->credentials_mark = 0;
	roster_done(&acc->roster);
	op_finish(op);
	if (acc->hold != NULL)
		account_release(acc);
	/* behind those who wait: another one that removes it, for one */
	entity_when_loaded(&acc->e, remove_end, NULL);
}

/* It is held, so that what comes meanwhile meets it as it will be. */
static void
remove_perform(struct account *acc, struct account_op *op)
{
	struct store_tx *tx;

	if (!acc->exists || acc->anonymous) {
		op_refuse(op, ERR_MISSING, "there is no such account");
		return;
	}
	acc->removing = true;
	account_hold(acc);
	tx = store_tx_new();
	store_tx_clear_owner(tx, account_domain(acc), account_local(acc));
	op->took_effect = remove_took_effect;
	op->removes = true;
	op_commit(acc, op, tx);
}

void
account_remove(struct shard *from, struct jid bare, account_done_fn done,
	void *arg)
{
	struct account_op *op =
		op_new(from, bare, STR_NONE, STR_NONE, done, arg);

	op->perform = remove_perform;
	op_start(from, op);
}

/* --- kick -------------------------------------------------------------------------------- */

static void
kick_perform(struct account *acc, struct account_op *op)
{
	struct session *s = acc->sessions;

	if (op->resource != NULL)
		s = session_find(acc, str_c(op->resource));
	if (s == NULL) {
		op_refuse(op, ERR_MISSING, op->resource != NULL ?
			"there is no session of that resource" :
			"there is no session");
		return;
	}
	if (op->resource != NULL)
		session_close(s, STREAM_POLICY_VIOLATION, op->text);
	else
		account_close_sessions(acc, STR_NONE, STREAM_POLICY_VIOLATION,
			op->text);
	op_finish(op);
}

void
account_kick(struct shard *from, struct jid bare, struct str resource,
	const char *text, account_done_fn done, void *arg)
{
	struct account_op *op =
		op_new(from, bare, str_c(text), resource, done, arg);

	op->perform = kick_perform;
	op_start(from, op);
}

/* --- credentials, read only ------------------------------------------------------------------ */

static void
on_credentials(void *arg, const struct store_answer *answer,
	const struct err *err)
{
	struct account_op *op = arg;

	/* no copy is made of it, which would take time for those who exist */
	op->credentials_done(op->arg,
		err == NULL && answer->n != 0 ? answer->entries[0].value :
						STR_NONE,
		err);
	op_free(op);
}

void
account_credentials(struct shard *from, struct jid bare,
	account_credentials_fn fn, void *arg)
{
	struct account_op *op =
		op_new(from, bare, STR_NONE, STR_NONE, NULL, arg);
	struct store_place at = {
		.host = jid_domain(op->jid),
		.owner = jid_local(op->jid),
		.name = STR(MAP_ACCOUNT),
	};

	op->credentials_done = fn;
	store_get(from->server->store, at, STR(KEY_CREDENTIALS),
		&from->mailbox, on_credentials, op);
}
