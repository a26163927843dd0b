/*
 * account_batch.c - many accounts at once.
 *
 * Runs on the shard that asked: parse, derive (on the worker), commit, tell
 * those entities that are in memory already.
 */
#include "config.h"

#include "account/account_batch.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/worker.h"
#include "xmpp/datetime.h"
#include "conf/conf.h"
#include "store/store.h"
#include "core/entity_message.h"
#include "core/host.h"
#include "core/shard.h"
#include "account/account_int.h"

/* At the worker at one time, so that logins and registrations get their turn
 * between the lines. */
#define DERIVING_MAX 8

/* --- lines -------------------------------------------------------------- */

static bool
line_verifiers(struct batch_line *l, struct str rest)
{
	struct str word;

	while (rest.n != 0) {
		if (!str_cut(rest, ' ', &word, &rest))
			rest = STR_NONE;
		if (word.n != 0 &&
			!credentials_add_line(&l->creds, word, &l->err))
			return false;
	}
	return true;
}

static bool
line_parse(struct batch_line *l, struct str line, struct arena *a)
{
	struct str rest;

	if (!str_cut(line, ' ', &l->text, &rest) || rest.n == 0)
		return err_set(&l->err, ERR_INVALID,
			"a line is an address, a blank, and a password or verifiers");
	if (!jid_parse(&l->jid, a, l->text, &l->err))
		return false;
	if (l->jid.local_len == 0 || !jid_is_bare(l->jid))
		return err_set(&l->err, ERR_INVALID,
			"not an address of the form user@domain");
	if (str_starts(rest, STR("SCRAM-SHA-")))
		return line_verifiers(l, rest);
	l->password = rest;
	return true;
}

static void
batch_add(struct account_batch *b, struct str line, struct arena *a)
{
	struct batch_line *l = &b->lines[b->n];

	/* a file from another system */
	if (line.n != 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0 || line.p[0] == '#')
		return;
	l->batch = b;
	line_parse(l, line, a);
	b->n++;
}

static size_t
lines_of(struct str text)
{
	size_t n = 1;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n;
}

bool
account_batch_parse(struct account_batch *out, struct str text,
	struct arena *a, struct err *err)
{
	struct str line;
	bool more = true;

	*out = (struct account_batch){ .n = 0 };
	if (lines_of(text) > ACCOUNT_BATCH_MAX + 1)
		return err_set(err, ERR_LIMIT,
			"more than %d lines at once: split the file",
			ACCOUNT_BATCH_MAX);
	text = str_unmarked(text);
	out->lines = xcalloc(lines_of(text), sizeof(out->lines[0]));
	while (more) {
		more = str_cut(text, '\n', &line, &text);
		batch_add(out, line, a);
	}
	return true;
}

void
account_batch_done(struct account_batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		credentials_wipe(&b->lines[i].creds);
	free(b->lines);
	b->lines = NULL;
	b->n = 0;
}

/* --- telling entities --------------------------------------------------- */

static void
told_read(struct entity *e, void *arg)
{
	struct account *acc;

	(void)arg;
	if (e == NULL)
		return;
	acc = account_of(e);
	if (acc->exists)
		hook_run(account_host(acc), HOOK_ACCOUNT_CREATED, acc);
	entity_check_idle(e);
}

/* What is on disk by now is what is true: whoever has shown a password before it
 * was made (hostile 33) finds other credentials. */
void
account_batch_told(struct account *acc, struct entity_message *m)
{
	acc->anonymous = false;
	account_reload(acc);
	entity_when_loaded(&acc->e, told_read, NULL);
	entity_answer(m, NULL);
}

static void
line_tell(const struct batch_line *l)
{
	entity_tell(l->batch->shard,
		&(struct entity_message){
			.kind = TELL_CREATED,
			.to = l->jid,
		});
}

/* --- committing --------------------------------------------------------- */

static void
line_write(const struct batch_line *l, struct store_tx *tx)
{
	struct store_place at = {
		.host = jid_domain(l->jid),
		.owner = jid_local(l->jid),
		.name = STR(MAP_ACCOUNT),
	};
	struct buf text = BUF_INIT;
	char now[DATETIME_SIZE];

	credentials_format(&text, &l->creds);
	store_tx_create(tx, at, STR(KEY_CREATED),
		datetime_format(now, shard_wall_us(l->batch->shard)));
	store_tx_set(tx, at, STR(KEY_CREDENTIALS), buf_str(&text));
	explicit_bzero(text.p, text.n);
	buf_done(&text);
}

static void
batch_release(struct account_batch *b)
{
	if (--b->pending == 0)
		b->done(b->arg);
}

static void
on_line_durable(void *arg, bool ok, const struct err *err)
{
	struct batch_line *l = arg;

	if (ok)
		line_tell(l);
	else if (err->code == ERR_CONFLICT)
		err_set(&l->err, ERR_CONFLICT, "the account exists already");
	else
		l->err = *err;
	batch_release(l->batch);
}

/* pending counts the caller too, so that the last answer ends it. */
static void
batch_one_by_one(struct account_batch *b)
{
	struct store *store = b->shard->server->store;

	for (size_t i = 0; i < b->n; i++) {
		struct store_tx *tx;

		if (b->lines[i].err.code != ERR_NONE)
			continue;
		tx = store_tx_new();
		line_write(&b->lines[i], tx);
		b->pending++;
		store_commit(store, tx, &b->shard->mailbox, on_line_durable,
			&b->lines[i]);
	}
	batch_release(b);
}

static void
on_batch_durable(void *arg, bool ok, const struct err *err)
{
	struct account_batch *b = arg;

	(void)err; /* each line finds out its own */
	if (!ok) {
		batch_one_by_one(b);
		return;
	}
	for (size_t i = 0; i < b->n; i++) {
		if (b->lines[i].err.code == ERR_NONE)
			line_tell(&b->lines[i]);
	}
	batch_release(b);
}

static void
batch_commit(struct account_batch *b)
{
	struct store_tx *tx = store_tx_new();

	for (size_t i = 0; i < b->n; i++) {
		if (b->lines[i].err.code == ERR_NONE)
			line_write(&b->lines[i], tx);
	}
	b->pending = 1;
	store_commit(b->shard->server->store, tx, &b->shard->mailbox,
		on_batch_durable, b);
}

/* --- deriving ----------------------------------------------------------- */

static void
line_derive(void *arg)
{
	struct batch_line *l = arg;

	credentials_derive(&l->creds, l->password, SCRAM_ALL, l->iterations,
		l->batch->shard->server->rand, &l->err);
}

static void on_line_derived(void *arg);

/* Hands out lines until as many as may be are at the worker; commits when there
 * is none left. */
static void
batch_derive(struct account_batch *b)
{
	while (b->pending < DERIVING_MAX && b->next < b->n) {
		struct batch_line *l = &b->lines[b->next++];

		if (l->err.code != ERR_NONE || l->password.p == NULL)
			continue;
		b->pending++;
		worker_run(b->shard->server->worker, line_derive,
			&b->shard->mailbox, on_line_derived, l);
	}
	if (b->pending == 0)
		batch_commit(b);
}

static void
on_line_derived(void *arg)
{
	struct batch_line *l = arg;

	l->batch->pending--;
	batch_derive(l->batch);
}

void
account_batch_create(struct shard *sh, struct account_batch *b,
	void (*done)(void *arg), void *arg)
{
	b->shard = sh;
	b->done = done;
	b->arg = arg;
	b->pending = 0;
	b->next = 0;
	for (size_t i = 0; i < b->n; i++) {
		struct batch_line *l = &b->lines[i];
		struct host *host;

		if (l->err.code != ERR_NONE)
			continue;
		host = account_host_of(sh->snap, jid_domain(l->jid));
		if (host == NULL)
			err_set(&l->err, ERR_MISSING,
				"this domain is not served here");
		else
			l->iterations =
				(uint32_t)host->conf->auth.scram_iterations;
	}
	batch_derive(b);
}
