/*
 * store_tx.c - the list of operations that a transaction is.
 *
 * Built on the asker's thread; nothing in it is shared before store_commit().
 * What breaks a rule marks the whole transaction, which then fails with that
 * reason in the ordinary way: askers have one place for failures.
 */
#include "config.h"

#include "store/store_int.h"

#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/share.h"

struct store_tx *
store_tx_new(void)
{
	struct arena *a = arena_new();
	struct store_tx *tx = arena_zalloc(a, sizeof(*tx));

	tx->req.arena = a;
	STAILQ_INIT(&tx->ops);
	return tx;
}

void
store_tx_free(struct store_tx *tx)
{
	if (tx != NULL)
		arena_free(tx->req.arena);
}

size_t
store_tx_bytes(const struct store_tx *tx)
{
	return arena_bytes(tx->req.arena);
}

void
store_tx_insist(struct store_tx *tx)
{
	tx->insists = true;
}

void
store_tx_chain(struct store_tx *tx, struct store_chain *chain)
{
	tx->chain = chain;
}

void
store_chain_break(struct store_chain *chain, uint64_t ticket)
{
	uint64_t now;

	if (chain == NULL)
		return;
	now = atomic_load(&chain->broken);
	while ((now == 0 || ticket < now) &&
		!atomic_compare_exchange_weak(&chain->broken, &now, ticket))
		continue;
}

bool
store_key_check(struct str key, struct err *err)
{
	if (key.n > STORE_KEY_MAX)
		return err_set(err, ERR_LIMIT,
			"a key of %zu bytes is too long for the store: "
			"at most %u",
			key.n, STORE_KEY_MAX);
	if (!str_is_utf8(key))
		return err_set(err, ERR_INVALID,
			"a key for the store is not UTF-8, or holds a NUL");
	return true;
}

bool
store_place_check(struct store_place at, struct err *err)
{
	if (at.host.n == 0)
		return err_set(err, ERR_INVALID,
			"a place in the store has no host");
	return store_key_check(at.host, err) &&
		store_key_check(at.owner, err) && store_key_check(at.name, err);
}

struct str
store_id_make(uint64_t number, struct str secret, char out[STORE_ID_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;
	int bits = 0;

	while (number >> bits > 15)
		bits += 4;
	for (; bits >= 0; bits -= 4)
		out[n++] = digits[number >> bits & 15];
	out[n++] = '.';
	memcpy(out + n, secret.p, MIN(secret.n, STORE_ID_SIZE - 1 - n));
	n += MIN(secret.n, STORE_ID_SIZE - 1 - n);
	out[n] = '\0';
	return (struct str){ out, n };
}

uint64_t
store_id_number(struct str id)
{
	uint64_t number = 0;
	size_t i = 0;

	for (; i < id.n && id.p[i] != '.'; i++) {
		char c = id.p[i];

		if (c >= '0' && c <= '9')
			number = number << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			number = number << 4 | (uint64_t)(c - 'a' + 10);
		else
			return 0;
		/* the way in which it is written is one */
		if (number == 0 || number > STORE_NUMBER_MAX)
			return 0;
	}
	return i < id.n ? number : 0;
}

static bool
value_check(struct str value, struct err *err)
{
	if (value.n > STORE_VALUE_MAX)
		return err_set(err, ERR_LIMIT,
			"a value of %zu bytes is too long for the store: "
			"at most %u",
			value.n, STORE_VALUE_MAX);
	if (value.n != 0 && memchr(value.p, '\0', value.n) != NULL)
		return err_set(
			err, ERR_INVALID, "a value for the store holds a NUL");
	return true;
}

/* Empty instead of absent: nothing that is stored is absent. */
static struct str
copy(struct arena *a, struct str s)
{
	return s.p != NULL ? arena_str(a, s) : STR("");
}

/* Most operations follow one with the same place: its strings serve again. */
static struct str
copy_unless(struct arena *a, struct str s, struct str last)
{
	return last.p != NULL && str_eq(s, last) ? last : copy(a, s);
}

static struct store_op *
op_new(struct store_tx *tx, enum store_op_kind kind, struct store_place at,
	struct str key, struct str value)
{
	struct arena *a = tx->req.arena;
	const struct store_op *last = tx->last;
	struct store_op *op = arena_zalloc(a, sizeof(*op));
	struct store_place had = { .name = STR_NONE };

	STAILQ_INSERT_TAIL(&tx->ops, op, link);
	tx->last = op;
	op->kind = kind;
	if (!tx->req.failed &&
		(!store_place_check(at, &tx->req.err) ||
			!store_key_check(key, &tx->req.err) ||
			!value_check(value, &tx->req.err)))
		tx->req.failed = true;
	if (tx->req.failed)
		return op;
	if (last != NULL)
		had = last->at;
	op->at.host = copy_unless(a, at.host, had.host);
	op->at.owner = copy_unless(a, at.owner, had.owner);
	op->at.name = copy_unless(a, at.name, had.name);
	op->key = copy(a, key);
	op->value = copy(a, value);
	op->with = STR("");
	op->slot = store_slot(at.host, at.owner);
	return op;
}

void
store_tx_set(struct store_tx *tx, struct store_place at, struct str key,
	struct str value)
{
	op_new(tx, STORE_OP_SET, at, key, value);
}

void
store_tx_create(struct store_tx *tx, struct store_place at, struct str key,
	struct str value)
{
	op_new(tx, STORE_OP_CREATE, at, key, value);
}

void
store_tx_require(struct store_tx *tx, struct store_place at, struct str key)
{
	op_new(tx, STORE_OP_REQUIRE, at, key, STR_NONE);
}

void
store_tx_require_entry(struct store_tx *tx, struct store_place at,
	struct str id)
{
	op_new(tx, STORE_OP_REQUIRE_ENTRY, at, id, STR_NONE);
}

void
store_tx_delete(struct store_tx *tx, struct store_place at, struct str key)
{
	op_new(tx, STORE_OP_DELETE, at, key, STR_NONE);
}

void
store_tx_clear(struct store_tx *tx, struct store_place at)
{
	op_new(tx, STORE_OP_CLEAR, at, STR_NONE, STR_NONE);
}

void
store_tx_clear_owner(struct store_tx *tx, struct str host, struct str owner)
{
	struct store_place at = { host, owner, STR_NONE };

	op_new(tx, STORE_OP_CLEAR_OWNER, at, STR_NONE, STR_NONE);
}

void
store_tx_append(struct store_tx *tx, struct store_place at, struct str id,
	int64_t wall_us, struct str with, struct str value)
{
	struct store_op *op = op_new(tx, STORE_OP_APPEND, at, id, value);

	if (tx->req.failed || !store_key_check(with, &tx->req.err)) {
		tx->req.failed = true;
		return;
	}
	if (id.p == NULL)
		op->key = STR_NONE;
	op->with = copy(tx->req.arena, with);
	op->wall_us = wall_us;
}

void
store_tx_append_at(struct store_tx *tx, struct store_place at, struct str id,
	int64_t wall_us, struct str with, struct str value)
{
	uint64_t number = store_id_number(id);

	store_tx_append(tx, at, id, wall_us, with, value);
	if (tx->req.failed)
		return;
	tx->last->number = number;
	if (number == 0) {
		tx->req.failed = true;
		err_set(&tx->req.err, ERR_INVALID,
			"the id of an entry says no number");
	}
}

void
store_tx_delete_entry(struct store_tx *tx, struct store_place at, struct str id)
{
	op_new(tx, STORE_OP_DELETE_ENTRY, at, id, STR_NONE);
}

void
store_tx_replace_entry(struct store_tx *tx, struct store_place at,
	struct str id, struct str value)
{
	op_new(tx, STORE_OP_REPLACE_ENTRY, at, id, value);
}

/* Has it been added right before this? */
static bool
is_new(const struct store_op *op, struct store_place at, struct str id)
{
	return op != NULL && op->kind == STORE_OP_APPEND && op->number != 0 &&
		str_eq(op->key, id) && str_eq(op->at.name, at.name) &&
		str_eq(op->at.owner, at.owner) && str_eq(op->at.host, at.host);
}

/* One that is new gets them in its row: to change that costs as much again. */
void
store_tx_index(struct store_tx *tx, struct store_place at, struct str id,
	struct str words)
{
	if (!tx->req.failed && is_new(tx->last, at, id))
		tx->last->words = words.n != 0 ?
			arena_str(tx->req.arena, words) : STR_NONE;
	else
		op_new(tx, STORE_OP_INDEX, at, id, words);
	if (!tx->req.failed && (!value_check(words, &tx->req.err) ||
				       !store_words_check(words, &tx->req.err)))
		tx->req.failed = true;
}

void
store_tx_trim_to(struct store_tx *tx, struct store_place at, struct str id)
{
	op_new(tx, STORE_OP_TRIM_TO, at, id, STR_NONE);
}

void
store_tx_trim_age(struct store_tx *tx, struct store_place at, int64_t wall_us)
{
	op_new(tx, STORE_OP_TRIM_AGE, at, STR_NONE, STR_NONE)->wall_us =
		wall_us;
}

void
store_tx_trim_count(struct store_tx *tx, struct store_place at, uint64_t keep)
{
	op_new(tx, STORE_OP_TRIM_COUNT, at, STR_NONE, STR_NONE)->keep = keep;
}

void
store_tx_trim(struct store_tx *tx, struct store_place at,
	const struct store_trim *trim)
{
	struct store_op *op = op_new(tx, STORE_OP_TRIM, at, trim->up_to, STR_NONE);

	if (tx->req.failed || !store_key_check(trim->waits, &tx->req.err)) {
		tx->req.failed = true;
		return;
	}
	op->trim = *trim;
	op->trim.waits = copy(tx->req.arena, trim->waits);
	op->trim.up_to = trim->up_to.p != NULL ? op->key : STR_NONE;
}

/* Mailbox owner's thread. */
static void
on_tx_answered(struct mail *m, void *owner)
{
	struct store_req *req = CONTAINER_OF(m, struct store_req, mail);
	struct store_tx *tx = CONTAINER_OF(req, struct store_tx, req);

	(void)owner;
	share_set(arena_share(req->arena));
	if (tx->trimmed != NULL)
		tx->trimmed(req->arg, !req->failed && tx->more,
			req->failed ? &req->err : NULL);
	if (tx->done != NULL)
		tx->done(
			req->arg, !req->failed, req->failed ? &req->err : NULL);
	share_set(NULL);
	store_tx_free(tx);
}

void
store_commit(struct store *s, struct store_tx *tx, struct mailbox *reply,
	store_done_fn done, void *arg)
{
	tx->req.mail.run = on_tx_answered;
	tx->req.reply = done != NULL ? reply : NULL;
	tx->req.arg = arg;
	tx->done = done;
	store_submit_tx(s, tx);
}

void
store_trim(struct store *s, struct store_place at,
	const struct store_trim *trim, struct mailbox *reply, store_trim_fn fn,
	void *arg)
{
	struct store_tx *tx = store_tx_new();

	store_tx_trim(tx, at, trim);
	tx->last->more = &tx->more;
	tx->trimmed = fn;
	tx->req.mail.run = on_tx_answered;
	tx->req.reply = reply;
	tx->req.arg = arg;
	store_submit_tx(s, tx);
}
