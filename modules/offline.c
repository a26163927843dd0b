/*
 * offline.c - keeps messages for one who is not there (XEP-0160), and
 * delivers them, with the time at which they came (XEP-0203).
 *
 * Owner shard of the account.  Messages are numbered entries of the log
 * "offline", oldest first, whose "with" is a seal and the sender; the map
 * "offline_shares" says how much each sender has there.  How much there is is in
 * memory with the account, and one who has nothing waiting costs nothing.
 *
 *   a session takes messages --halt--> read --> written --> deleted --> read ...
 *       --(it does not keep up)--> waiting --(it has drained, or is gone)--> read
 *       --(the store is behind)--> a second --> read
 *       --(no more, nobody takes them, or it is not alone)--> go on
 *
 * From the moment at which a session takes messages until it has all of them,
 * the account's line is halted (account/account_line.h): what comes meanwhile does
 * not overtake, and a second session finds nothing left.  But one that does not
 * keep up holds up no other session: then the line goes on, and what is left is
 * delivered when somebody can take it.  An entry is deleted when it has been
 * given to the stream; a crash between the two delivers it again, and loses
 * nothing.  What cannot be deleted then is left out until nobody takes messages
 * any more; the account is read anew, and whoever comes next gets it again.
 */
#include "config.h"

#include <stdio.h>

#include "module/module.h"

#define LOG_OFFLINE "offline"
#define MAP_SHARES "offline_shares"

/* What is read at once. */
#define BATCH 512
#define BATCH_BYTES ((size_t)128 * 1024)

/* The store is behind: it is asked again. */
#define AGAIN_US US_PER_S

/* What a message takes beside its text: two rows, their index, and the sender's
 * address twice. */
#define ENTRY_BYTES 256

struct offline_conf {
	int64_t messages;
	uint64_t bytes;
	int64_t sender_share;   /* percent of what there is for its kind */
	int64_t stranger_share; /* percent of all */
};

struct flood;

/* In the slot of an account. */
struct backlog {
	uint64_t n : 24;
	uint64_t bytes : 40;
	struct flood *flood; /* NULL: none is going on */
	struct quotas *senders; /* by bare address; apart: no contacts */
	/* Up to this entry they were delivered and could not be deleted, and
	 * do not count any more; 0: all could. */
	long long given;
};

/* One delivery of what waits. */
struct flood {
	struct backlog *backlog; /* NULL: the account has forgotten it */
	struct module_halt *halt;
	struct module_entry *entry;
	struct entity_ref account;
	struct timer retry; /* set: the store is behind */
	bool waiting; /* for a session; else for the store, or to ask it */
	bool all;       /* that there is was delivered */
	long long last; /* entry that was */
};

/* --- how much there is ------------------------------------------------------------- */

/* What sender has now. */
static void
share_write(struct store_tx *tx, struct account *acc, const struct backlog *b,
	struct str sender)
{
	struct quota quota = quotas_get(b->senders, sender);
	struct store_place at = account_place(acc, MAP_SHARES);
	struct buf value = BUF_INIT;

	quota_format(&value, quota);
	if (quota.n == 0)
		store_tx_delete(tx, at, sender);
	else
		store_tx_set(tx, at, sender, buf_str(&value));
	buf_done(&value);
}

static void flood_begin(struct module_ctx *m, struct account *acc);

/* There are sessions already when the module was switched on, or the account is
 * read anew. */
static enum hook_result
on_load(struct module_ctx *m, void *arg)
{
	const struct account_load *load = arg;
	struct backlog *b = NULL;

	for (size_t i = 0; i < load->n; i++) {
		const struct store_entry *e = &load->entries[i];

		if (str_is(e->with, LOG_OFFLINE) && e->key.p == NULL) {
			b = module_entity_state(m, &load->account->e);
			b->n = e->total;
			b->bytes = e->bytes;
		} else if (str_is(e->with, MAP_SHARES) && e->key.n != 0) {
			b = module_entity_state(m, &load->account->e);
			quotas_set(&b->senders, e->key, quota_parse(e->value));
		}
	}
	if (b != NULL)
		flood_begin(m, load->account);
	return HOOK_PASS;
}

static void
backlog_less(struct backlog *b, struct str sender, uint64_t bytes)
{
	b->n -= b->n != 0;
	b->bytes -= b->bytes < bytes ? b->bytes : bytes;
	quotas_less(&b->senders, sender, bytes + ENTRY_BYTES);
}

/* Behind the seal; none in entries of an earlier version. */
static struct str
entry_sender(const struct store_entry *e)
{
	size_t n = MIN(e->with.n, STORED_SEAL_SIZE);

	return (struct str){ e->with.p + n, e->with.n - n };
}

/* --- keeping it --------------------------------------------------------------------------- */

/* value is what is stored of st. */
static void
keep(struct module_ctx *m, const struct account_stanza *in, struct store_tx *tx,
	struct str value, bool apart)
{
	struct account *acc = in->account;
	struct backlog *b = module_entity_state(m, &acc->e);
	struct str sender = jid_bare_str(in->st->from);
	struct buf with = BUF_INIT;
	char seal[STORED_SEAL_SIZE];

	b->n++;
	b->bytes += value.n;
	quotas_more(&b->senders, sender, value.n + ENTRY_BYTES, apart);
	buf_add_str(&with, stored_seal(value, seal));
	buf_add_str(&with, sender);
	store_tx_append(tx, account_place(acc, LOG_OFFLINE), STR_NONE,
		shard_wall_us(acc->e.shard), buf_str(&with), value);
	share_write(tx, acc, b, sender);
	buf_done(&with);
	if (b->given != 0)
		account_reload(acc); /* nobody takes messages */
}

/* --- for whom there is room ----------------------------------------------------------------- */

/*
 * Nobody may fill it for the others: strangers together have a part of it, and
 * each sender a part of what there is for those of his kind.
 */
static bool
backlog_has_room(const struct backlog *b, const struct offline_conf *conf,
	struct str sender, bool apart, size_t more)
{
	struct quota one = quotas_get(b->senders, sender);
	uint64_t n = (uint64_t)conf->messages, bytes = conf->bytes;

	if (b->n >= n || b->bytes + b->n * ENTRY_BYTES + more > bytes)
		return false;
	if (apart) {
		n = n * (uint64_t)conf->stranger_share / 100;
		bytes = bytes / 100 * (uint64_t)conf->stranger_share;
		if (!quota_fits(quotas_apart(b->senders), n, bytes, more))
			return false;
	}
	return quota_fits(one, n * (uint64_t)conf->sender_share / 100,
		bytes / 100 * (uint64_t)conf->sender_share, more);
}

/* What is worth keeping and must not be kept (XEP-0334 §4.2) is refused, so that
 * the sender knows (RFC 6121 §8.5.2.2.1).  An account that does not exist seems
 * to do all this, too (§8.5.1).  When the quota is reached the sender gets
 * service-unavailable (XEP-0160 §2); while the disk takes no writes, an error
 * that says that it will pass, whether there is such an account or not. */
static enum hook_result
on_offline(struct module_ctx *m, void *arg)
{
	struct account_stanza *in = arg;
	struct account *acc = in->account;
	struct stanza *st = in->st;
	struct buf value = BUF_INIT;
	struct store_tx *tx;
	bool apart;

	if (!message_is_worth_keeping(st)) {
		stanza_free(st);
		return HOOK_HANDLED;
	}
	if (stanza_has_hint(st, "no-store") ||
		(acc->anonymous && acc->exists && !acc->removing))
		return HOOK_PASS;
	if (shard_refuses_writes(acc->e.shard)) {
		router_bounce(acc->e.shard, st, COND_RESOURCE_CONSTRAINT,
			SHARD_REFUSES_TEXT);
		return HOOK_HANDLED;
	}
	if (!acc->exists || acc->removing) {
		stanza_free(st);
		return HOOK_HANDLED;
	}
	if (!in->stamped)
		stanza_add_delay(st, account_domain(acc),
			shard_wall_us(acc->e.shard));
	stored_write(&value, st->root);
	apart = account_is_stranger(acc, st->from);
	if (!backlog_has_room(module_entity_state(m, &acc->e), m->conf,
		    jid_bare_str(st->from), apart, value.n + ENTRY_BYTES)) {
		acc->e.shard->stats.refused++;
	} else if ((tx = account_stanza_tx(in)) != NULL) {
		keep(m, in, tx, buf_str(&value), apart);
		in->kept = true;
	}
	buf_done(&value);
	return HOOK_PASS;
}

/* --- delivering it -------------------------------------------------------------------------- */

static void flood_read(struct module_ctx *m, struct account *acc,
	struct flood *f);

static void
flood_end(struct flood *f)
{
	struct module_halt *halt = f->halt;

	if (f->backlog != NULL)
		f->backlog->flood = NULL;
	shard_timer_cancel(f->account.shard, &f->retry);
	entity_ref_end(&f->account);
	free(f);
	module_go_on(halt);
}

/* NULL, and f has ended, when the account or the module is not there any more,
 * or is about to go: what is written now would outlive it. */
static struct module_ctx *
flood_find(struct flood *f, struct account **acc_out)
{
	struct account *acc = account_if(f->account.e);
	struct host *host;
	struct module_ctx *m = NULL;

	if (f->backlog != NULL && acc != NULL && !acc->removing) {
		*acc_out = acc;
		host = account_host(acc);
		m = host != NULL ? module_at_host(host, f->entry) : NULL;
	}
	if (m == NULL)
		flood_end(f);
	return m;
}

static bool
has_taker(const struct account *acc)
{
	const struct session *s = acc->sessions;

	while (s != NULL && !session_takes_messages(s))
		s = s->next;
	return s != NULL;
}

/* The first who takes messages, and keeps up. */
static struct session *
flood_reader(const struct account *acc)
{
	struct session *s = acc->sessions;

	while (s != NULL && (!session_takes_messages(s) || session_is_full(s)))
		s = s->next;
	return s;
}

static void
flood_read_and_write(struct session *s, const struct store_entry *entry)
{
	struct arena *a = NULL;
	struct elem *e =
		stored_read_own(session_shard(s)->xml, entry->value, &a);
	enum stanza_cond cond;
	struct stanza *st =
		e != NULL ? stanza_from_elem(a, e, &cond) : NULL;

	if (st == NULL) {
		if (log_limit_ok(&session_shard(s)->storage, LOG_STORE))
			log_error(LOG_STORE, session_who(s),
				"a kept message cannot be read, it is dropped id=%.*s",
				STR_ARG(entry->key));
		arena_free(a);
		return;
	}
	session_write(s, st);
	stanza_free(st);
}

/* What was read is delivered, and deleted if that could be. */
static void
flood_go_on(struct module_ctx *m, struct account *acc, struct flood *f)
{
	bool full = flood_reader(acc) == NULL;

	if (f->all || !has_taker(acc) || (full && acc->n_sessions > 1))
		flood_end(f);
	else if (full)
		f->waiting = true; /* the client has to read before that */
	else
		flood_read(m, acc, f);
}

static void
on_deleted(void *arg, bool ok, const struct err *err)
{
	struct flood *f = arg;
	struct account *acc;
	struct module_ctx *m = flood_find(f, &acc);

	if (!ok && err->code != ERR_DISK)
		log_error(LOG_STORE, LOG_NOBODY,
			"delivered messages cannot be deleted, they will come again reason=\"%s\"",
			err->text);
	if (m == NULL)
		return;
	if (!ok)
		f->backlog->given = f->last;
	flood_go_on(m, acc, f);
}

/* Reading it again took half of the time. */
static void
flood_write(struct session *s, const struct store_entry *entry)
{
	struct str seal = { entry->with.p,
		MIN(entry->with.n, STORED_SEAL_SIZE) };

	if (!stored_is_sealed(entry->value, seal) ||
		!session_write_stored(s, entry->value))
		flood_read_and_write(s, entry);
}

/* What the senders of n entries have left, each written once. */
static void
shares_write(struct store_tx *tx, struct account *acc, const struct backlog *b,
	const struct store_entry *entries, size_t n)
{
	struct quotas *written = NULL;

	if (b->n == 0) {
		store_tx_clear(tx, account_place(acc, MAP_SHARES));
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct str sender = entry_sender(&entries[i]);

		if (sender.n == 0 || quotas_get(written, sender).n != 0)
			continue;
		quotas_more(&written, sender, 0, false);
		share_write(tx, acc, b, sender);
	}
	quotas_free(&written);
}

/* And deletes it; but not behind what could not be deleted. */
static void
flood_deliver(struct module_ctx *m, struct account *acc, struct flood *f,
	const struct store_answer *answer)
{
	const struct store_entry *e = answer->entries;
	struct backlog *b = f->backlog;
	struct store_tx *tx;
	size_t i;

	for (i = 0; i < answer->n; i++) {
		struct session *s = flood_reader(acc);

		if (s == NULL)
			break;
		flood_write(s, &e[i]);
		backlog_less(b, entry_sender(&e[i]), e[i].value.n);
		str_to_int(e[i].key, 1, INT64_MAX, &f->last);
	}
	f->all = i == answer->n && answer->complete;
	if (f->all) {
		b->n = b->bytes = 0; /* whatever was counted */
		quotas_free(&b->senders);
	}
	if (b->given != 0)
		b->given = MAX(b->given, f->last);
	if (i == 0 || b->given != 0) {
		flood_go_on(m, acc, f);
		return;
	}
	tx = store_tx_new();
	shares_write(tx, acc, b, e, i);
	store_tx_trim_to(tx, account_place(acc, LOG_OFFLINE), e[i - 1].key);
	store_tx_insist(tx); /* they are delivered */
	module_commit(m, acc->e.shard, tx, on_deleted, f);
}

static void
on_retry(struct timer *t)
{
	struct flood *f = CONTAINER_OF(t, struct flood, retry);
	struct account *acc;
	struct module_ctx *m = flood_find(f, &acc);

	if (m != NULL)
		flood_go_on(m, acc, f);
}

static void
on_batch(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct flood *f = arg;
	struct account *acc;
	struct module_ctx *m = flood_find(f, &acc);

	if (m == NULL)
		return;
	if (err == NULL) {
		flood_deliver(m, acc, f, answer);
		return;
	}
	if (err->code == ERR_BUSY) {
		shard_timer(acc->e.shard, &f->retry, AGAIN_US, on_retry);
		return;
	}
	if (log_limit_ok(&acc->e.shard->storage, LOG_STORE))
		log_error(LOG_STORE, LOG_NOBODY,
			"kept messages cannot be read account=%.*s reason=\"%s\"",
			STR_ARG(jid_str(acc->e.jid)), err->text);
	flood_end(f);
}

static void
flood_read(struct module_ctx *m, struct account *acc, struct flood *f)
{
	struct store_range range = { .max = BATCH, .max_bytes = BATCH_BYTES };
	char given[24];

	snprintf(given, sizeof(given), "%lld", f->backlog->given);
	if (f->backlog->given != 0)
		range.after_id = str_c(given);
	module_range(m, acc->e.shard, account_place(acc, LOG_OFFLINE), &range,
		on_batch, f);
}

/* Unless there is nothing, or nobody who can take it now. */
static void
flood_begin(struct module_ctx *m, struct account *acc)
{
	struct backlog *b = module_entity_state(m, &acc->e);
	struct flood *f;

	if (b->n == 0 || b->flood != NULL || flood_reader(acc) == NULL)
		return;
	f = xcalloc(1, sizeof(*f));
	f->backlog = b;
	f->halt = module_halt(m, acc);
	f->entry = m->entry;
	entity_ref(&f->account, &acc->e);
	b->flood = f;
	flood_read(m, acc, f);
}

static enum hook_result
on_messages(struct module_ctx *m, void *arg)
{
	const struct session *s = arg;

	flood_begin(m, s->account);
	return HOOK_PASS;
}

/* A session has room again, or is none to wait for any more; or there is another
 * one, which must not be held up. */
static enum hook_result
on_room(struct module_ctx *m, void *arg)
{
	const struct session *s = arg;
	struct backlog *b = module_entity_state(m, &s->account->e);

	if (b->flood == NULL && b->given != 0 && !has_taker(s->account)) {
		account_reload(s->account);
	} else if (b->flood == NULL) {
		flood_begin(m, s->account);
	} else if (b->flood->waiting) {
		b->flood->waiting = false;
		flood_read(m, s->account, b->flood);
	}
	return HOOK_PASS;
}

/* What the store was asked for ends the flood when it is answered. */
static void
backlog_done(struct entity *e, void *state)
{
	struct backlog *b = state;
	struct flood *f = b->flood;

	(void)e;
	quotas_free(&b->senders);
	if (f == NULL)
		return;
	f->backlog = NULL;
	if (f->waiting || timer_is_set(&f->retry))
		flood_end(f);
}

/* clang-format off */

static const struct option offline_options[] = {
	{ .name = "max_messages", .type = OPT_INT, .dflt = "1000", .min = "1",
		.max = "1000000", .off = offsetof(struct offline_conf, messages),
		.help = "how many messages wait for one account; further ones "
			"are refused with <service-unavailable/>" },
	{ .name = "max_bytes", .type = OPT_SIZE, .dflt = "4MiB", .min = "4KiB",
		.max = "16GiB", .off = offsetof(struct offline_conf, bytes),
		.help = "how large they may be together, with 256 bytes for "
			"each beside its text" },
	{ .name = "stranger_share", .type = OPT_INT, .dflt = "20", .min = "1",
		.max = "100",
		.off = offsetof(struct offline_conf, stranger_share),
		.help = "percent of both that all senders together may take "
			"who are not in the roster" },
	{ .name = "sender_share", .type = OPT_INT, .dflt = "50", .min = "1",
		.max = "100", .off = offsetof(struct offline_conf, sender_share),
		.help = "percent that one sender may take of what there is for "
			"contacts, or for strangers" },
	{ .name = NULL },
};

/* clang-format on */

static const struct hook_handler offline_hooks[] = {
	{ HOOK_ACCOUNT_LOAD, HOOK_KEEP, on_load },
	{ HOOK_ACCOUNT_OFFLINE, HOOK_KEEP, on_offline },
	{ HOOK_SESSION_BOUND, HOOK_KEEP, on_room },
	{ HOOK_SESSION_MESSAGES, HOOK_KEEP, on_messages },
	{ HOOK_SESSION_DRAINED, HOOK_KEEP, on_room },
	{ HOOK_SESSION_UNAVAILABLE, HOOK_KEEP, on_room },
	/* without a goodbye, where no module knows of presence */
	{ HOOK_SESSION_CLOSED, HOOK_KEEP, on_room },
	{ .fn = NULL },
};

MODULE(offline) = {
	.api = MODULE_API,
	.name = "offline",
	.summary = "keep messages for users who are away",
	.specs = "XEP-0160 1.0.1, XEP-0203 2.0, XEP-0334 1.0.0",
	.features = (const char *const[]){ "msgoffline", NULL },
	.options = offline_options,
	.conf_size = sizeof(struct offline_conf),
	.hooks = offline_hooks,
	.account_maps = (const char *const[]){ LOG_OFFLINE, MAP_SHARES,
		NULL },
	.entity_state = sizeof(struct backlog),
	.entity_done = backlog_done,
};
