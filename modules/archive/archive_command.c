/*
 * archive_command.c - what is archived of an account, for administrators and for those
 * whose it is: how much, all of it, and its end.
 *
 * Shard 0.  A long answer goes out in parts, each read when whoever called has taken the
 * one before it; what comes meanwhile is in it, too, and what goes is not.
 */
#include "config.h"

#include "archive_command.h"

#define PART 128
#define PART_BYTES ((size_t)256 << 10)

struct module_ctx *
archive_call_module(struct command_call *call)
{
	struct str domain = jid_domain(jid_trusted(command_value(call, "address")));
	struct host *host = shard_host(call->shard, domain);
	struct module_ctx *m =
		host != NULL ? module_at_host(host, call->entry) : NULL;
	struct err err = ERR_INIT;

	if (m != NULL && host->service == NULL)
		return m;
	err_set(&err, ERR_MISSING, "%.*s is no host that keeps archives",
		STR_ARG(domain));
	command_fail(call, &err);
	return NULL;
}

/* An empty archive is no answer to an address that was mistyped. */
static void
on_account(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct command_call *call = command_call_arg(arg);
	struct archive_call *c = call->state;
	struct err missing = ERR_INIT;

	if (err != NULL) {
		command_fail(call, err);
	} else if (answer->n == 0) {
		err_set(&missing, ERR_MISSING, "there is no such account");
		command_fail(call, &missing);
	} else {
		c->go(call);
	}
}

void
archive_call_begin(struct command_call *call, void (*go)(struct command_call *call))
{
	static const struct str names[] = {
		{ MAP_ACCOUNT, sizeof(MAP_ACCOUNT) - 1 },
	};
	struct jid user = jid_trusted(command_value(call, "address"));
	struct archive_call *c = arena_zalloc(call->arena, sizeof(*c));
	struct module_ctx *m;

	c->at = (struct store_place){ jid_domain(user), jid_local(user),
		STR(ARCHIVE) };
	c->trim.waits = STR(LOG_OFFLINE);
	c->go = go;
	call->state = c;
	m = archive_call_module(call);
	if (m != NULL)
		module_list_many(m, call->shard, c->at.host, c->at.owner, names,
			COUNT(names), on_account, call);
}

bool
archive_address_check(struct command_call *call, struct err *err)
{
	struct jid user = jid_trusted(command_value(call, "address"));

	return jid_local(user).n != 0 ||
		err_set(err, ERR_INVALID,
			"\"address\" is that of a user, such as anna@%.*s",
			STR_ARG(jid_domain(user)));
}

/* --- show ---------------------------------------------------------------------------- */

static void
size_field(struct command_call *call, const char *name, uint64_t bytes)
{
	command_number(call, name, (int64_t)MIN(bytes, (uint64_t)INT64_MAX));
}

static void
summary_show(struct command_call *call, const struct archive_conf *conf)
{
	const struct archive_call *c = call->state;
	char time[DATETIME_SIZE];
	struct buf keep = BUF_INIT;

	if (conf->keep_us >= OPTION_NEVER)
		buf_add_c(&keep, "for ever");
	else
		duration_show(&keep, conf->keep_us);
	command_row(call);
	command_field(call, "user", command_value(call, "address"));
	size_field(call, "messages", c->messages);
	size_field(call, "bytes", c->bytes + c->messages * STORE_ENTRY_BYTES);
	size_field(call, "bytes_max", conf->max_bytes);
	if (c->messages != 0) {
		command_field(call, "oldest", datetime_format(time, c->oldest_us));
		command_field(call, "newest", datetime_format(time, c->newest_us));
	}
	command_field(call, "kept", buf_str(&keep));
	buf_done(&keep);
	command_done(call);
}

static void
on_oldest(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct command_call *call = command_call_arg(arg);
	struct archive_call *c = call->state;
	struct module_ctx *m;

	if (err != NULL) {
		command_fail(call, err);
		return;
	}
	c->oldest_us = answer->n != 0 ? answer->entries[0].wall_us : c->newest_us;
	m = archive_call_module(call);
	if (m != NULL)
		summary_show(call, m->conf);
}

/* What the map of this name has is of no interest here. */
static void
on_counted(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct command_call *call = command_call_arg(arg);
	struct archive_call *c = call->state;
	struct module_ctx *m;

	if (err != NULL) {
		command_fail(call, err);
		return;
	}
	for (size_t i = 0; i < answer->n; i++) {
		const struct store_entry *e = &answer->entries[i];

		if (e->key.p != NULL)
			continue;
		c->messages = e->total;
		c->bytes = e->bytes;
		c->newest_us = e->wall_us;
	}
	m = archive_call_module(call);
	if (m != NULL)
		module_range(m, call->shard, c->at,
			&(struct store_range){ .max = 1 }, on_oldest, call);
}

static void
show_begin(struct command_call *call)
{
	static const struct str names[] = { { ARCHIVE, sizeof(ARCHIVE) - 1 } };
	const struct archive_call *c = call->state;
	struct module_ctx *m = archive_call_module(call);

	if (m != NULL)
		module_list_many(m, call->shard, c->at.host, c->at.owner, names,
			COUNT(names), on_counted, call);
}

static void
show_run(struct command_call *call)
{
	archive_call_begin(call, show_begin);
}

/* --- export -------------------------------------------------------------------------- */

/* XEP-0227 §4.11: the elements around the messages, of which each line is one. */
static void
frame_show(struct command_call *call, bool opens)
{
	const struct archive_call *c = call->state;
	struct arena *a = arena_new();
	struct elem *host = elem_new(a, NS_PIE, "host");
	struct elem *user = elem_new(a, NS_PIE, "user");
	struct buf text = BUF_INIT;

	if (!opens) {
		command_text(call, "</archive></user></host></server-data>");
	} else {
		elem_set_attr(a, host, "jid", c->at.host);
		elem_set_attr(a, user, "name", c->at.owner);
		stored_write(&text, host);
		/* left open */
		text.n -= STR("/>").n;
		buf_add_c(&text, ">");
		stored_write(&text, user);
		text.n -= STR("/>").n;
		buf_add_c(&text, ">");
		command_text(call,
			"<?xml version='1.0' encoding='UTF-8'?><server-data xmlns='"
			NS_PIE "'>%.*s<archive xmlns='" NS_PIE_MAM "'>",
			STR_ARG(buf_str(&text)));
	}
	buf_done(&text);
	arena_free(a);
}

/* What antiphonctl does not print as a reference, with which it stays what it is: DEL,
 * C1, and what turns text round; they stand in texts and values alone. */
static void
controls_escape(struct buf *out, struct str xml)
{
	for (size_t i = 0; i < xml.n; i++) {
		const unsigned char *c = (const unsigned char *)xml.p + i;
		size_t left = xml.n - i;

		if (c[0] == 0x7f) {
			buf_add_c(out, "&#127;");
		} else if (c[0] == 0xc2 && left > 1 && c[1] < 0xa0) {
			buf_printf(out, "&#%u;", (unsigned)c[1]);
			i++;
		} else if (c[0] == 0xe2 && left > 2 &&
			((c[1] == 0x80 && c[2] >= 0xaa && c[2] <= 0xae) ||
				(c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9))) {
			buf_printf(out, "&#x20%02x;",
				(c[1] & 1u) << 6 | (c[2] & 0x3fu));
			i += 2;
		} else {
			buf_add(out, xml.p + i, 1);
		}
	}
}

/* As a query shows it. */
static void
result_show(struct command_call *call, struct arena *a, struct elem *message,
	const struct store_entry *e)
{
	struct elem *result = elem_new(a, NS_MAM, "result");
	struct elem *forwarded = elem_add(a, result, NS_FORWARD, "forwarded");
	struct elem *delay = elem_add(a, forwarded, NS_DELAY, "delay");
	struct buf text = BUF_INIT, shown = BUF_INIT;
	char time[DATETIME_SIZE];

	elem_set_attr(a, result, "id", e->key);
	elem_set_attr(a, delay, "stamp", datetime_format(time, e->wall_us));
	elem_append(forwarded, message);
	stored_write(&text, result);
	controls_escape(&shown, buf_str(&text));
	command_text(call, "%.*s", STR_ARG(buf_str(&shown)));
	buf_done(&shown);
	buf_done(&text);
}

void
archive_line_show(struct command_call *call, struct arena *a, const struct elem *message,
	const struct store_entry *e)
{
	const struct elem *body = elem_child(message, NS_CLIENT, "body");
	struct str rest = body != NULL ? elem_text(a, body) : STR_NONE;
	struct buf text = BUF_INIT;
	char time[DATETIME_SIZE];
	struct str line;

	if (rest.n == 0)
		return;
	buf_add_str(&text, datetime_format(time, e->wall_us));
	buf_add_c(&text, " ");
	buf_add_str(&text, elem_attr(message, "from"));
	buf_add_c(&text, " -> ");
	buf_add_str(&text, elem_attr(message, "to"));
	while (rest.n != 0) {
		if (!str_cut(rest, '\n', &line, &rest))
			rest = STR_NONE;
		buf_add_c(&text, "\n    ");
		buf_add_str(&text, line);
	}
	command_text(call, "%.*s", STR_ARG(buf_str(&text)));
	buf_done(&text);
}

static void
entry_show(struct command_call *call, const struct store_entry *e)
{
	struct arena *a = arena_new();
	struct elem *message = stored_read(a, e->value);

	/* else the database was damaged */
	if (message != NULL && command_switch(call, "text"))
		archive_line_show(call, a, message, e);
	else if (message != NULL)
		result_show(call, a, message, e);
	arena_free(a);
}

static void export_more(struct command_call *call);

static void
on_part(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct command_call *call = command_call_arg(arg);
	struct archive_call *c = call->state;

	if (err != NULL && err->code == ERR_MISSING && c->after.p != NULL) {
		/* it has gone, and so has all before it */
		c->after = STR_NONE;
		export_more(call);
		return;
	}
	if (err != NULL) {
		command_fail(call, err);
		return;
	}
	for (size_t i = 0; i < answer->n; i++)
		entry_show(call, &answer->entries[i]);
	if (!answer->complete && answer->n != 0) {
		c->after = arena_str(call->arena, answer->entries[answer->n - 1].key);
		command_when_taken(call, export_more);
		return;
	}
	if (!command_switch(call, "text"))
		frame_show(call, false);
	command_done(call);
}

static void
export_more(struct command_call *call)
{
	const struct archive_call *c = call->state;
	struct module_ctx *m;

	if (call->unheard) {
		command_done(call);
		return;
	}
	m = archive_call_module(call);
	if (m != NULL)
		module_range(m, call->shard, c->at,
			&(struct store_range){ .max = PART,
				.max_bytes = PART_BYTES, .after_id = c->after },
			on_part, call);
}

static void
export_begin(struct command_call *call)
{
	if (!command_switch(call, "text"))
		frame_show(call, true);
	export_more(call);
}

static void
export_run(struct command_call *call)
{
	archive_call_begin(call, export_begin);
}

/* --- purge --------------------------------------------------------------------------- */

static void purge_more(struct command_call *call);

static void
on_purged(void *arg, bool more, const struct err *err)
{
	struct command_call *call = command_call_arg(arg);

	if (err != NULL) {
		command_fail(call, err);
	} else if (more) {
		purge_more(call);
	} else {
		log_info(LOG_STORE, LOG_NOBODY, "archive deleted user=%.*s before=%.*s",
			STR_ARG(command_value(call, "address")),
			STR_ARG(command_value(call, "before").p != NULL ?
					command_value(call, "before") :
					STR("now")));
		command_done(call);
	}
}

static void
purge_more(struct command_call *call)
{
	const struct archive_call *c = call->state;
	struct module_ctx *m = archive_call_module(call);

	if (m != NULL)
		module_trim(m, call->shard, c->at, &c->trim, on_purged, call);
}

/* What comes from now on stays, also where the time is still to come: either all that
 * there is is older, or what comes is not, since times do not go back. */
static void
on_last(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct command_call *call = command_call_arg(arg);
	struct archive_call *c = call->state;
	struct str before = command_value(call, "before");
	int64_t us;

	if (err != NULL) {
		command_fail(call, err);
		return;
	}
	if (answer->n == 0) {
		command_done(call);
		return;
	}
	if (before.p != NULL && datetime_parse(before, &us) &&
		us <= answer->entries[0].wall_us)
		c->trim.before_us = us;
	else
		c->trim.up_to = arena_str(call->arena, answer->entries[0].key);
	purge_more(call);
}

static bool
purge_check(struct command_call *call, struct err *err)
{
	struct str before = command_value(call, "before");
	int64_t us;

	if (before.p != NULL && (!datetime_parse(before, &us) || us <= 0))
		return err_set(err, ERR_INVALID,
			"\"before\" is a time from 1970 to 2100, such as "
			"2026-01-31T00:00:00Z");
	return archive_address_check(call, err);
}

static void
purge_begin(struct command_call *call)
{
	const struct archive_call *c = call->state;
	struct module_ctx *m = archive_call_module(call);

	if (m != NULL)
		module_range(m, call->shard, c->at,
			&(struct store_range){ .max = 1, .backwards = true },
			on_last, call);
}

static void
purge_run(struct command_call *call)
{
	archive_call_begin(call, purge_begin);
}

/* --- the table ------------------------------------------------------------------------- */

static const struct command_arg search_args[] = {
	{ "address", ARG_JID, .help = "whose archive" },
	{ "words", ARG_WORDS, .unlogged = true,
		.help = "what has to be in the text or subject, all of it, in any "
			"order" },
	{ "oldest", ARG_SWITCH, .optional = true, .option = true,
		.help = "oldest first" },
	{ "max", ARG_INT, .optional = true, .option = true,
		.help = "how many messages at most, up to 10000; else 50" },
	{ .name = NULL },
};

static const struct command_arg show_args[] = {
	{ "address", ARG_JID, .help = "whose archive" },
	{ .name = NULL },
};

static const struct command_arg export_args[] = {
	{ "address", ARG_JID, .help = "whose archive" },
	{ "text", ARG_SWITCH, .optional = true, .option = true,
		.help = "for people: what was said, when, by whom and to whom" },
	{ .name = NULL },
};

static const struct command_arg purge_args[] = {
	{ "address", ARG_JID, .help = "whose archive" },
	{ "before", ARG_TEXT, .optional = true, .option = true,
		.help = "only what is older than this time, such as "
			"2026-01-31T00:00:00Z" },
	{ "yes", ARG_CONFIRM, .option = true,
		.help = "do not ask whether that is meant" },
	{ .name = NULL },
};

#define FOR_ALL (BY_OPERATOR | BY_HOST_ADMIN | BY_ACCOUNT)

const struct command archive_commands[] = {
	{ "archive export", "print what is archived of a user",
		"Without --text as XML by XEP-0227, each message on a line, oldest "
		"first. It goes out as it is read, however much it is.",
		export_args, export_run, archive_address_check, FOR_ALL },
	{ "archive purge", "delete the archive of a user",
		"Those he has talked with keep theirs, and what waits for him "
		"goes on waiting. With --before only what is older goes than a "
		"time, such as 2026-01-31T00:00:00Z. It goes in slices, while the "
		"server serves; what comes meanwhile stays. Whoever sits at the "
		"terminal is asked first; a script says --yes.",
		purge_args, purge_run, purge_check, FOR_ALL },
	{ "archive search", "find messages in the archive of a user",
		"Printed as by archive export --text, newest first. Words are "
		"whole ones, in any case and without marks. What is encrypted is "
		"not found, nor what was archived before there was a search, or "
		"while it was off; a last line tells when that may be, or when "
		"there are more.",
		search_args, archive_search_run, archive_search_check, FOR_ALL },
	{ "archive show", "show how much is archived of a user",
		"bytes are counted with 256 for each message beside its text, as "
		"in bytes_max, above which the oldest go; kept is for how long.",
		show_args, show_run, archive_address_check, FOR_ALL },
	{ .name = NULL },
};
