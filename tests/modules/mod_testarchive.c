/*
 * mod_testarchive.c - two archives of what an account gets, and one of what it
 * sends, each written before anybody sees the message.  Built with the tests,
 * never installed.
 *
 *   <archive xmlns='urn:antiphon:test:archive' log='got|copy|sent'/>
 *
 * is answered with <entry with='bare address' id='of the message'/> for each
 * message, oldest first.  A message with the id grow becomes larger than all that
 * may wait, as it is sent.
 */
#include "module/module.h"

#define NS_ARCHIVE "urn:antiphon:test:archive"
#define LOG_GOT "testarchive_got"
#define LOG_COPY "testarchive_copy"
#define LOG_SENT "testarchive_sent"
#define ENTRIES_MAX 10000
#define GROWN_BYTES (17 * 1024 * 1024)

struct archive_conf {
	bool before;
	bool got;
	bool presence;
};

static void
archive(struct store_tx *tx, struct account *acc, const char *name,
	struct stanza *st, struct jid with)
{
	struct buf value = BUF_INIT;

	stored_write(&value, st->root);
	store_tx_append(tx, account_place(acc, name), STR_NONE,
		shard_wall_us(acc->e.shard), jid_bare_str(with),
		buf_str(&value));
	buf_done(&value);
}

static bool
is_wanted(const struct module_ctx *m, const struct stanza *st)
{
	const struct archive_conf *conf = m->conf;

	if (st->type == MESSAGE_ERROR || st->type == PRESENCE_ERROR)
		return false;
	return st->kind == STANZA_MESSAGE ||
		(conf->presence && st->kind == STANZA_PRESENCE);
}

static enum hook_result
receive(struct module_ctx *m, struct account_stanza *in, const char *name)
{
	const struct archive_conf *conf = m->conf;
	struct store_tx *tx;

	if (!conf->got || !is_wanted(m, in->st))
		return HOOK_PASS;
	tx = account_stanza_tx(in);
	if (tx != NULL)
		archive(tx, in->account, name, in->st, in->st->from);
	return HOOK_PASS;
}

static enum hook_result
on_receive(struct module_ctx *m, void *arg)
{
	return receive(m, arg, LOG_GOT);
}

static enum hook_result
on_receive_copy(struct module_ctx *m, void *arg)
{
	return receive(m, arg, LOG_COPY);
}

static enum hook_result
on_send(struct module_ctx *m, void *arg)
{
	const struct archive_conf *conf = m->conf;
	struct session_stanza *out = arg;
	struct store_tx *tx;

	if (!is_wanted(m, out->st) || !jid_is_set(out->st->to))
		return HOOK_PASS;
	out->before = conf->before;
	tx = session_stanza_tx(out);
	if (tx != NULL)
		archive(tx, out->account, LOG_SENT, out->st,
			out->st->to);
	if (str_is(out->st->id, "grow"))
		arena_alloc(out->st->arena, GROWN_BYTES);
	return HOOK_PASS;
}

/* --- showing it ------------------------------------------------------------ */

static void
on_read(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct iq *iq = arg;
	struct arena *a = iq->st->arena;
	struct elem *payload = iq_payload(iq, NS_ARCHIVE, "archive");

	for (size_t i = 0; err == NULL && i < answer->n; i++) {
		const struct store_entry *e = &answer->entries[i];
		struct elem *st = stored_read(a, e->value);
		struct elem *entry = elem_add(a, payload, NS_ARCHIVE, "entry");

		elem_set_attr(a, entry, "with", arena_str(a, e->with));
		elem_set_attr(a, entry, "id", elem_attr(st, "id"));
	}
	if (err != NULL)
		iq_error(iq, stanza_cond_of(err->code), NULL);
	else
		iq_result(iq, payload);
}

static enum hook_result
on_get(struct module_ctx *m, struct iq *iq)
{
	struct store_range all = { .max = ENTRIES_MAX };
	struct str log = elem_attr(iq->payload, "log");
	const char *name = str_is(log, "sent") ? LOG_SENT :
		str_is(log, "copy")	       ? LOG_COPY :
						 LOG_GOT;
	struct store_place at = account_place(iq_account(iq), name);

	iq_keep(iq);
	module_range(m, iq->shard, at, &all, on_read, iq);
	return HOOK_HANDLED;
}

static const struct option archive_options[] = {
	{ .name = "before", .type = OPT_SWITCH, .dflt = "no",
		.off = offsetof(struct archive_conf, before),
		.help = "what is sent waits until it is on disk" },
	{ .name = "got", .type = OPT_SWITCH, .dflt = "yes",
		.off = offsetof(struct archive_conf, got),
		.help = "what an account gets is archived" },
	{ .name = "presence", .type = OPT_SWITCH, .dflt = "no",
		.off = offsetof(struct archive_conf, presence),
		.help = "presence is archived too" },
	{ .name = NULL },
};

static const struct hook_handler archive_hooks[] = {
	{ HOOK_ACCOUNT_RECEIVE, HOOK_KEEP, on_receive },
	{ HOOK_ACCOUNT_RECEIVE, HOOK_KEEP, on_receive_copy },
	{ HOOK_SESSION_SEND, HOOK_KEEP, on_send },
	{ .fn = NULL },
};

static const struct iq_handler archive_iqs[] = {
	{ IQ_GET, AT_OWN_ACCOUNT, NS_ARCHIVE, "archive", on_get },
	{ .fn = NULL },
};

MODULE(testarchive) = {
	.api = MODULE_API,
	.name = "testarchive",
	.summary = "archive messages, for tests",
	.options = archive_options,
	.conf_size = sizeof(struct archive_conf),
	.hooks = archive_hooks,
	.iqs = archive_iqs,
};
