/*
 * archive.c - keeps what an account sends and gets, for years (XEP-0313 §3), and
 * tells its clients under which id (XEP-0359).  What they may ask it:
 * archive_query.c, archive_metadata.c; by which words they find it: src/archive/;
 * which conversations there are: archive_inbox.c;
 * whose messages they want there: archive_prefs.c; how they have it deleted:
 * archive_trim.c; what is too old: src/archive/archive_sweep.c.
 *
 * Owner shard of the account.  A message is an entry of the log "archive": an id
 * that nobody can guess and that is never given again, when it came, the bare
 * address of the other side, and the stanza as it was sent or received, without
 * that id.  Order is the log's, whose next number the id says: so the entry is found
 * without an index.  What belongs there, xmpp/message.c says.
 *
 *    the sender's client                     the recipient's clients
 *            |                                          ^
 *     HOOK_SESSION_SEND                        with <stanza-id/>, durable
 *            | entry, beside the message                |
 *            v                                 entry, waits for the disk
 *          router ---------------------------> HOOK_ACCOUNT_RECEIVE
 *
 * What is sent again, since a session was lost that had not heard of it, is
 * recognised by each side for itself (account/recent.h): the sender's entry stays,
 * and the message goes on its way; who has got it before does not get it again.
 *
 * What somebody sends to himself is stored once, where it arrives.  An account
 * that does not exist, or exists for one session only, has no archive; nothing
 * tells that from outside.  Nobody else's address is shown an id of ours, and who
 * claims one is not believed (account_deliver.c, session.c).
 *
 * An archive has a size, above which the oldest entries go (XEP-0313 §3.2).  Those
 * that wait for who is away are moved to what waits, since their text is nowhere
 * else; and as that is looked through for it, room is made in steps.  So that nobody else can push
 * them out, or fill the disk, those who are not in the roster may add so much in a
 * day, together; what is more is delivered, or kept for who is away, and in no
 * archive.  How much they have added is in memory with the account, and in the map
 * "archive", ahead of what they add and in steps: a write with each message would
 * cost as much as the message.
 */
#include "config.h"

#include "archive.h"

#define FEATURE_TOMBSTONE NS_RETRACT "#tombstone"
#define DAY_US (86400 * US_PER_S)
/* A step is no longer than this, nor than 1/64 of a day's part, nor than what they
 * have added since the account was loaded: so a crash, or leaving memory, takes
 * little of their part from them, and gives them nothing. */
#define STEP_MAX UINT64_C(65536)
#define STEPS_A_DAY 64

/* --- strangers ---------------------------------------------------------------- */

static struct strangers *
strangers_of(struct module_ctx *m, struct account *acc)
{
	struct archive_state *state = module_entity_state(m, &acc->e);

	return &state->strangers;
}

static void
strangers_read(struct strangers *s, struct str text)
{
	long long bytes, wall_us;
	struct str first, second;

	if (str_cut(text, ' ', &first, &second) &&
		str_to_int(first, 0, INT64_MAX, &bytes) &&
		str_to_int(second, 0, INT64_MAX, &wall_us))
		*s = (struct strangers){ .bytes = (uint64_t)bytes,
			.charged = (uint64_t)bytes,
			.wall_us = wall_us };
}

static void
strangers_write(const struct strangers *s, const struct account *acc,
	struct store_tx *tx)
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "%llu %lld", (unsigned long long)s->charged,
		(long long)s->wall_us);
	store_tx_set(tx, account_place(acc, ARCHIVE), STR(KEY_STRANGERS),
		buf_str(&text));
	buf_done(&text);
}

/* They may add what they have added a day ago.  A clock that was set back does
 * not give them more. */
static void
strangers_forget(struct strangers *s, uint64_t per_day, int64_t now_us)
{
	int64_t us = MIN(MAX(now_us - s->wall_us, 0), DAY_US);
	uint64_t less = (uint64_t)((double)per_day * (double)us / DAY_US);

	s->bytes -= MIN(s->bytes, less);
	s->charged -= MIN(s->charged, less);
	s->wall_us = now_us;
}

static void
strangers_charge(struct strangers *s, const struct archive_conf *conf,
	const struct account *acc, struct store_tx *tx)
{
	uint64_t step = MIN(STEP_MAX, conf->stranger_bytes / STEPS_A_DAY);

	s->charged = s->bytes + MIN(step, s->added);
	strangers_write(s, acc, tx);
}

/* False: not today. */
static bool
strangers_add(struct module_ctx *m, struct account *acc, struct store_tx *tx,
	uint64_t bytes)
{
	const struct archive_conf *conf = m->conf;
	struct strangers *s = strangers_of(m, acc);

	strangers_forget(s, conf->stranger_bytes, shard_wall_us(acc->e.shard));
	if (s->bytes + bytes > conf->stranger_bytes)
		return false;
	s->bytes += bytes;
	if (s->bytes > s->charged)
		strangers_charge(s, conf, acc, tx);
	s->added += bytes;
	return true;
}

static enum hook_result
on_load(struct module_ctx *m, void *arg)
{
	const struct account_load *load = arg;
	struct archive_state *state = module_entity_state(m, &load->account->e);

	for (size_t i = 0; i < load->n; i++) {
		const struct store_entry *e = &load->entries[i];

		if (!str_is(e->with, ARCHIVE))
			continue;
		if (e->key.p == NULL) {
			state->last = e->last;
			state->last_us = e->wall_us;
			state->room = 0;
		} else if (str_is(e->key, KEY_STRANGERS)) {
			strangers_read(&state->strangers, e->value);
		} else if (str_is(e->key, KEY_PREFS)) {
			archive_prefs_read(&state->prefs, load->account,
				e->value);
		}
	}
	return HOOK_PASS;
}

/* --- entries ------------------------------------------------------------------ */

/* Of a year that no clock has shown: some clients do not survive it
 * (hostile 70). */
static bool
is_absurd_delay(void *arg, const struct elem *e)
{
	struct str stamp = elem_is_text(e) ? STR_NONE : elem_attr(e, "stamp");
	long long year;
	int64_t wall_us;

	(void)arg;
	if (elem_is(e, NS_DELAY, "delay"))
		return !datetime_parse(stamp, &wall_us);
	return elem_is(e, "jabber:x:delay", "x") &&
		!str_to_int((struct str){ stamp.p, MIN(stamp.n, 4) }, 1970, 2100,
			&year);
}

bool
account_has_archive(const struct account *acc)
{
	return acc->exists && !acc->anonymous && !acc->removing;
}

/* Costs about as much as to keep it, and nothing where nobody wants it. */
static void
entry_index(const struct archive_conf *conf, struct store_tx *tx,
	struct store_place at, struct str id, const struct stanza *st)
{
	struct buf words = BUF_INIT;

	if (!conf->search)
		return;
	archive_words(&words, st->arena, st->root);
	if (words.n != 0)
		store_tx_index(tx, at, id, buf_str(&words));
	buf_done(&words);
}

/* The id, in out; STR_NONE: there is no room for what strangers say, or the owner
 * does not want it. */
static struct str
entry_add(struct module_ctx *m, struct account *acc, struct store_tx *tx,
	struct stanza *st, struct jid with, char out[STORE_ID_SIZE])
{
	struct archive_state *state = module_entity_state(m, &acc->e);
	const struct archive_conf *conf = m->conf;
	struct store_place at = account_place(acc, ARCHIVE);
	struct buf value = BUF_INIT;
	char secret[RAND_ID_SIZE];
	struct str id = STR_NONE;

	elem_drop(st->root, is_absurd_delay, NULL);
	if (!archive_is_wanted(state->prefs, acc, with))
		return id;
	stored_write_sealed(&value, st->root);
	/* what the owner sends is his own */
	if (jid_eq_bare(st->from, acc->e.jid) ||
		!account_is_stranger(acc, with) ||
		strangers_add(m, acc, tx, value.n + STORE_ENTRY_BYTES)) {
		state->last_us =
			MAX(state->last_us, shard_wall_us(acc->e.shard));
		id = store_id_make(++state->last,
			rand_id(acc->e.shard->rand, secret), out);
		store_tx_append_at(tx, at, id, state->last_us,
			jid_bare_str(with), buf_str(&value));
		entry_index(conf, tx, at, id, st);
		archive_make_room(&state->room, conf->max_bytes, STR(LOG_OFFLINE),
			tx, at, value.n + STORE_ENTRY_BYTES);
		if (acc->recalls)
			recent_add(acc, st, id);
		archive_retract(m, acc, st, with, id);
	}
	buf_done(&value);
	return id;
}

/* Whether there is an account or not, the disk and the line have to take it, and
 * what is archived makes no error: an address that is nobody's is given an id, too,
 * which nobody sees (hostile 53). */
static enum hook_result
on_receive(struct module_ctx *m, void *arg)
{
	struct account_stanza *in = arg;
	struct account *acc = in->account;
	struct stanza *st = in->st;
	char id[STORE_ID_SIZE];
	struct store_tx *tx;

	if (!message_is_archived(st) || (tx = account_stanza_tx(in)) == NULL)
		return HOOK_PASS;
	in->known = st->again && recent_find(acc, st).p != NULL;
	if (in->known)
		return HOOK_PASS;
	if (!acc->exists)
		stanza_add_id(st, acc->e.jid,
			rand_id(acc->e.shard->rand, id));
	else if (account_has_archive(acc) &&
		entry_add(m, acc, tx, st, st->from, id).p != NULL)
		stanza_add_id(st, acc->e.jid, str_c(id));
	return HOOK_PASS;
}

static enum hook_result
on_send(struct module_ctx *m, void *arg)
{
	struct session_stanza *out = arg;
	struct account *acc = out->account;
	struct stanza *st = out->st;
	char id[STORE_ID_SIZE];
	struct store_tx *tx;
	struct str before;

	if (!jid_is_set(st->to) || jid_eq_bare(st->to, acc->e.jid) ||
		!message_is_archived(st) ||
		(tx = session_stanza_tx(out)) == NULL ||
		!account_has_archive(acc))
		return HOOK_PASS;
	before = st->again ? recent_find(acc, st) : STR_NONE;
	out->known = before.p != NULL;
	out->archived = arena_str(st->arena,
		out->known ? before :
			     entry_add(m, acc, tx, st, st->to, id));
	return HOOK_PASS;
}

static enum hook_result
on_keeps(struct module_ctx *m, void *arg)
{
	const struct archive_conf *conf = m->conf;
	struct host_keeps *keeps = arg;
	struct buf *out = keeps->out;

	buf_add_c(out, out->n != 0 ? ", archives for " : "archives for ");
	if (conf->keep_us >= OPTION_NEVER)
		buf_add_c(out, "ever");
	else
		duration_show(out, conf->keep_us);
	buf_add_c(out, " up to ");
	size_show(out, conf->max_bytes);
	buf_add_c(out, " an account");
	if (conf->host_bytes != 0) {
		buf_add_c(out, " and ");
		size_show(out, conf->host_bytes);
		buf_add_c(out, " in all");
	}
	return HOOK_PASS;
}

/* --- who reads it ---------------------------------------------------------------- */

static enum hook_result
on_drained(struct module_ctx *m, void *arg)
{
	archive_pages_go_on(m, arg);
	archive_inboxes_go_on(m, arg);
	return HOOK_PASS;
}

static enum hook_result
on_read(struct module_ctx *m, void *arg)
{
	struct session_read *r = arg;
	const struct archive_session *as =
		module_session_state_if_made(m, r->session);

	r->number = as != NULL ? as->read : 0;
	return HOOK_PASS;
}

/* So that who resumes it does not wait for what nobody sends any more. */
static enum hook_result
on_stopping(struct module_ctx *m, void *arg)
{
	struct archive_session *as = module_session_state_if_made(m, arg);

	if (as != NULL) {
		archive_pages_end(as, COND_RESOURCE_CONSTRAINT);
		archive_inboxes_end(as, COND_RESOURCE_CONSTRAINT);
	}
	return HOOK_PASS;
}

static void
entity_done(struct entity *e, void *state)
{
	const struct archive_state *as = state;

	(void)e;
	archive_prefs_free(as->prefs);
}

static void
session_done(struct session *s, void *state)
{
	(void)s;
	archive_pages_end(state, COND_SERVICE_UNAVAILABLE);
	archive_inboxes_end(state, COND_SERVICE_UNAVAILABLE);
}

static void
archive_shard_done(struct shard *sh, void *state)
{
	struct archive_shard *as = state;

	(void)sh;
	archive_retracts_done(as);
	archive_sweeps_done(&as->sweeps);
}

/* --- what is too old, or too much ------------------------------------------------- */

static void
bounds_of(const struct module_ctx *m, struct archive_bounds *out)
{
	const struct archive_conf *conf = m->conf;

	*out = (struct archive_bounds){ conf->keep_us, conf->max_bytes,
		conf->host_bytes };
}

static const struct archive_kind of_users = {
	.log = ARCHIVE,
	.waits = LOG_OFFLINE,
	.of = "user",
	.bounds = bounds_of,
};

/* Something else is in force at the host of m. */
static void
archive_follow(struct module_ctx *m, struct shard *sh)
{
	struct archive_shard *as = module_shard_state(m, sh);

	archive_sweep_follow(&as->sweeps, m, sh, m->host->domain, &of_users);
}

/* clang-format off */

static const struct option archive_options[] = {
	{ .name = "keep", .type = OPT_DURATION, .dflt = "365d", .min = "1h",
		.max = "never", .off = offsetof(struct archive_conf, keep_us),
		.help = "how long messages are kept; what is older goes within "
			"an hour or two, and some hours later where there are "
			"very many accounts; what waits for who is away goes "
			"on waiting, apart from it" },
	{ .name = "max_bytes", .type = OPT_SIZE, .dflt = "1GiB",
		.min = "64KiB", .max = "1TiB",
		.off = offsetof(struct archive_conf, max_bytes),
		.help = "how large the archive of an account may become, with "
			"256 bytes for each message beside its text; then the "
			"oldest messages go; those that wait for who is away go "
			"on waiting, apart from it" },
	{ .name = "host_bytes", .type = OPT_SIZE, .dflt = "0", .min = "0",
		.max = "1024TiB", .off = offsetof(struct archive_conf, host_bytes),
		.help = "how large all archives of a host may become together, "
			"counted like that; it is looked at each hour, and then "
			"the oldest messages of all of them go; 0: any size" },
	{ .name = "stranger_bytes", .type = OPT_SIZE, .dflt = "4MiB",
		.min = "0", .max = "1TiB", .most = "max_bytes",
		.off = offsetof(struct archive_conf, stranger_bytes),
		.help = "how much of that all senders together may add in a day "
			"who are not in the roster; what is more is delivered, "
			"and not archived" },
	{ .name = "page_max", .type = OPT_INT, .dflt = "250", .min = "1",
		.max = "1000", .off = offsetof(struct archive_conf, page_max),
		.help = "how many messages a client gets by one query at most; "
			"one that does not say how many gets 50" },
	{ .name = "client_trim", .type = OPT_SWITCH, .dflt = "no",
		.off = offsetof(struct archive_conf, client_trim),
		.help = "whether users may have their archives deleted by a "
			"client, all or up to a message; contacts keep theirs" },
	{ .name = "search", .type = OPT_SWITCH, .dflt = "yes",
		.off = offsetof(struct archive_conf, search),
		.help = "whether users may search their archives for words: those "
			"of what is archived while it says yes, and is not "
			"encrypted; they take the room of the text and a quarter "
			"more, which max_bytes does not count" },
	{ .name = "inbox", .type = OPT_SWITCH, .dflt = "yes",
		.off = offsetof(struct archive_conf, inbox),
		.help = "whether users may ask for their conversations, with the "
			"last message of each, and how many are unread" },
	{ .name = NULL },
};

/* clang-format on */

static const struct hook_handler archive_hooks[] = {
	{ HOOK_ACCOUNT_LOAD, HOOK_KEEP, on_load },
	{ HOOK_ACCOUNT_RECEIVE, HOOK_KEEP, on_receive },
	{ HOOK_SESSION_SEND, HOOK_KEEP, on_send },
	{ HOOK_SESSION_DRAINED, HOOK_DELIVER, on_drained },
	{ HOOK_DISCO_INFO, HOOK_CHANGE, archive_on_disco },
	{ HOOK_HOST_KEEPS, HOOK_WATCH, on_keeps },
	{ HOOK_SESSION_READ, HOOK_DELIVER, on_read },
	{ HOOK_SESSION_STOPPING, HOOK_DELIVER, on_stopping },
	{ .fn = NULL },
};

static const struct iq_handler archive_iqs[] = {
	{ IQ_GET, AT_OWN_ACCOUNT, NS_MAM, "query", archive_on_form },
	{ IQ_SET, AT_OWN_ACCOUNT, NS_MAM, "query", archive_on_query },
	{ IQ_GET, AT_OWN_ACCOUNT, NS_MAM, "metadata", archive_on_metadata },
	{ IQ_GET, AT_OWN_ACCOUNT, NS_MAM, "prefs", archive_on_prefs_get },
	{ IQ_SET, AT_OWN_ACCOUNT | STORES, NS_MAM, "prefs",
		archive_on_prefs_set },
	{ IQ_SET, AT_OWN_ACCOUNT | STORES, NS_MAM_TRIM, "trim",
		archive_on_trim },
	{ IQ_SET, AT_OTHERS, NS_MAM_TRIM, "trim", archive_on_trim_by_others },
	{ IQ_GET, AT_OWN_ACCOUNT, NS_INBOX, "inbox", archive_on_inbox },
	{ IQ_GET, AT_OTHERS, NS_INBOX, "inbox", archive_on_inbox_of_others },
	{ IQ_GET, AT_OTHERS, NS_MAM, "prefs", archive_on_others },
	{ IQ_SET, AT_OTHERS, NS_MAM, "prefs", archive_on_others },
	{ IQ_GET, AT_OTHERS, NS_MAM, "query", archive_on_others },
	{ IQ_SET, AT_OTHERS, NS_MAM, "query", archive_on_others },
	{ IQ_GET, AT_OTHERS, NS_MAM, "metadata", archive_on_others },
	{ .fn = NULL },
};

MODULE(archive) = {
	.api = MODULE_API,
	.name = "archive",
	.summary = "keep what users send and get, and show it to them",
	.specs = "XEP-0313 1.1.3, XEP-0359 0.7.0, XEP-0334 1.0.0, XEP-0059 1.0, "
		 "XEP-0413 0.2.1, XEP-0441 0.2.0, XEP-0424 0.4.2, XEP-0431 0.2.0, "
		 "XEP-0430 0.2.0",
	.features = (const char *const[]){ NS_RETRACT, FEATURE_TOMBSTONE, NULL },
	.account_features = (const char *const[]){ NS_SID, NS_MAM,
		NS_MAM "#extended", NS_MAM "#groupchat-field", NS_RSM,
		NS_ORDER_BY, NS_ORDER_BY "@" NS_MAM, NS_RETRACT,
		FEATURE_TOMBSTONE, NULL },
	.options = archive_options,
	.conf_size = sizeof(struct archive_conf),
	.hooks = archive_hooks,
	.iqs = archive_iqs,
	.account_maps = (const char *const[]){ ARCHIVE, NULL },
	.shard_state = sizeof(struct archive_shard),
	.entity_state = sizeof(struct archive_state),
	.commands = archive_commands,
	.follow = archive_follow,
	.entity_done = entity_done,
	.session_state = sizeof(struct archive_session),
	.shard_done = archive_shard_done,
	.session_done = session_done,
};
