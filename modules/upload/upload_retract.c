/*
 * upload_retract.c - a file goes when the message that carried it is retracted
 * (XEP-0424), by the user who has uploaded it, in a chat of two.
 *
 * Owner shard of the account, which is the place of the user.  Of his owner:
 *
 *	map "upload_sent"	PEER ID: the files that the message ID to PEER carries
 *	map "upload_sent FILE"	PEER ID, for each message that carries it
 *
 * A file goes with the last message that carries it: whoever has got it by another one,
 * which stands, still has it.  Where one of several files of a message has gone before,
 * the others stay until they are due.  What is encrypted end to end names no file that we could
 * see.  What is sent to rooms stays: they know their messages by other ids.
 *
 * A message that names no file costs a look at its children.
 */
#include "config.h"

#include "upload.h"

/* Of one file; what is sent more often is not noted, and the file stays. */
#define MESSAGES_MAX 32
/* That wait at a shard. */
#define NOTES_MAX 4096
/* Files that one message may carry. */
#define FILES_MAX 16

struct files {
	struct str ids[FILES_MAX];
	size_t n;
};

/* --- which files a message carries -------------------------------------------------------- */

/* https://HOST/upload/ID/NAME, however the host is reached: the id alone counts, and
 * whose it is. */
static bool
url_read(struct str url, struct str *id_out)
{
	static const char path[] = UPLOAD_PREFIX "/";
	const char *at;

	if (!str_starts(url, STR("https://")) && !str_starts(url, STR("http://")))
		return false;
	at = memmem(url.p, url.n, path, sizeof(path) - 1);
	if (at == NULL)
		return false;
	at += sizeof(path) - 1;
	if ((size_t)(url.p + url.n - at) <= UPLOAD_ID_BYTES ||
		at[UPLOAD_ID_BYTES] != '/')
		return false;
	*id_out = (struct str){ at, UPLOAD_ID_BYTES };
	return upload_id_ok(*id_out);
}

static void
files_add(struct files *f, struct str url)
{
	struct str id;

	if (f->n == FILES_MAX || !url_read(str_trim(url), &id))
		return;
	for (size_t i = 0; i < f->n; i++)
		if (str_eq(f->ids[i], id))
			return;
	f->ids[f->n++] = id;
}

/* XEP-0447 §3.1 and XEP-0385 §3: the addresses stand within the sources. */
static void
files_add_sources(struct files *f, const struct elem *e, unsigned depth)
{
	elem_each_child(e, child) {
		if (elem_is(child, NS_URL_DATA, "url-data"))
			files_add(f, elem_attr(child, "target"));
		else if (elem_is(child, NS_REFERENCE, "reference"))
			files_add(f, elem_attr(child, "uri"));
		if (depth != 0)
			files_add_sources(f, child, depth - 1);
	}
}

/* A body that is an address and nothing else, XEP-0066 §3, and the above. */
static void
files_of(struct files *f, const struct stanza *st)
{
	f->n = 0;
	elem_each_child(st->root, e) {
		if (elem_is(e, NS_CLIENT, "body"))
			files_add(f, elem_text(st->arena, e));
		else if (elem_is(e, NS_OOB, "x") &&
			elem_child(e, NS_OOB, "url") != NULL)
			files_add(f, elem_text(st->arena,
					     elem_child(e, NS_OOB, "url")));
		else if (str_is(e->ns, NS_FILE_SHARING) ||
			str_is(e->ns, NS_REFERENCE))
			files_add_sources(f, e, 3);
	}
}

/* --- what is under way -------------------------------------------------------------------------- */

/* One message and one file: of the two there is a note, or there will be. */
struct upload_note {
	STAILQ_ENTRY(upload_note) link; /* of the line */
	struct note_line *line;
	struct module_entry *entry; /* held */
	struct shard *shard;
	struct upload_shard *here;
	struct arena *arena;
	struct jid user;
	struct str message; /* its key */
	struct str file;    /* an id; STR_NONE: not known yet */
	struct str files;   /* ids, with a blank between: all that it carries, or, where
			     * it is retracted, those that are left to go */
	bool retracts;
};

/* Those of a user are dealt with one after the other, so that what is retracted at once
 * is found; the first is. */
struct note_line {
	uint64_t hash; /* server_hash() of user */
	char *user;
	STAILQ_HEAD(, upload_note) notes; /* at least one */
};

static struct str
message_key(struct arena *a, const struct stanza *st, struct str id)
{
	struct str peer = jid_bare_str(st->to);

	return arena_printf(a, "%.*s %.*s", STR_ARG(peer), STR_ARG(id));
}

static struct upload_note *
note_new(struct module_ctx *m, const struct account *acc, const struct stanza *st,
	struct str id)
{
	struct arena *a = arena_new();
	struct upload_note *n = arena_zalloc(a, sizeof(*n));

	n->entry = module_hold(m);
	n->shard = acc->e.shard;
	n->here = upload_shard_of(m, n->shard);
	n->arena = a;
	n->user = jid_copy(a, acc->e.jid);
	n->message = message_key(a, st, id);
	return n;
}

static struct module_ctx *
note_module(const struct upload_note *n)
{
	return upload_module(n->shard, jid_domain(n->user), n->entry);
}

static void note_begin(struct upload_note *n, struct module_ctx *m);

static struct note_line *
line_find(const struct upload_shard *us, struct str user, uint64_t hash)
{
	size_t at = table_start(&us->note_lines, hash);
	struct note_line *line;

	while ((line = table_next(&us->note_lines, hash, &at)) != NULL)
		if (str_is(user, line->user))
			return line;
	return NULL;
}

static struct note_line *
line_new(struct upload_shard *us, struct str user, uint64_t hash)
{
	struct note_line *line = xcalloc(1, sizeof(*line));

	line->hash = hash;
	line->user = str_dup(user);
	STAILQ_INIT(&line->notes);
	table_add(&us->note_lines, hash, line);
	return line;
}

static void
line_free(struct upload_shard *us, struct note_line *line)
{
	table_remove(&us->note_lines, line->hash, line);
	free(line->user);
	free(line);
}

/* The module is held until the caller has released it. */
static struct module_entry *
note_free(struct upload_note *n)
{
	struct module_entry *entry = n->entry;

	arena_free(n->arena);
	return entry;
}

/* Of the next one of the user it is the turn; where the module has left, of none. */
static void
note_end(struct upload_note *n)
{
	struct upload_shard *us = n->here;
	struct note_line *line = n->line;
	struct module_entry *entry;
	struct module_ctx *m = NULL;

	while (n != NULL && m == NULL) {
		STAILQ_REMOVE_HEAD(&line->notes, link);
		us->n_notes--;
		entry = note_free(n);
		n = STAILQ_FIRST(&line->notes);
		m = n != NULL ? note_module(n) : NULL;
		if (n == NULL)
			line_free(us, line);
		else if (m != NULL)
			note_begin(n, m);
		module_release(entry);
	}
}

/* Where too many wait already, the file stays until it is due. */
static void
note_add(struct upload_note *n, struct module_ctx *m)
{
	struct upload_shard *us = n->here;
	struct str user = jid_str(n->user);
	uint64_t hash = server_hash(n->shard->server, user);
	struct note_line *line = line_find(us, user, hash);
	bool is_first = line == NULL;

	if (us->n_notes >= NOTES_MAX && !is_first) {
		module_release(note_free(n));
		return;
	}
	n->line = is_first ? line_new(us, user, hash) : line;
	STAILQ_INSERT_TAIL(&n->line->notes, n, link);
	us->n_notes++;
	if (is_first)
		note_begin(n, m);
}

static struct store_place
messages_map(const struct upload_note *n)
{
	return (struct store_place){ jid_domain(n->user), jid_local(n->user),
		STR(UPLOAD_SENT) };
}

/* Of one file. */
static struct store_place
file_map(const struct upload_note *n)
{
	return (struct store_place){ jid_domain(n->user), jid_local(n->user),
		arena_printf(n->arena, UPLOAD_SENT " %.*s", STR_ARG(n->file)) };
}

/* Of an account that is there: a note is never what brings its maps back. */
static struct store_tx *
note_tx(const struct upload_note *n)
{
	struct store_tx *tx = store_tx_new();
	struct store_place at = messages_map(n);

	at.name = STR(MAP_ACCOUNT);
	store_tx_require(tx, at, STR(KEY_CREATED));
	return tx;
}

/* --- it is retracted ------------------------------------------------------------------------------ */

static void messages_read(struct upload_note *n, struct module_ctx *m);

/* The next of the files that it has carried. */
static void
retract_next(struct upload_note *n)
{
	struct module_ctx *m = note_module(n);

	if (m == NULL || n->files.n == 0) {
		note_end(n);
		return;
	}
	if (!str_cut(n->files, ' ', &n->file, &n->files))
		n->files = STR("");
	messages_read(n, m);
}

static void
on_retracted_deleted(void *arg, const struct err *why)
{
	struct upload_note *n = arg;

	if (why != NULL)
		log_warn(LOG_NET, LOG_NOBODY,
			"a file that was retracted stays until it is due "
			"user=%.*s reason=\"%s\"",
			STR_ARG(jid_str(n->user)), why->text);
	retract_next(n);
}

/* Only what he has uploaded himself. */
static void
on_retracted_record(void *arg, const struct store_answer *answer,
	const struct err *err)
{
	struct upload_note *n = arg;
	struct module_ctx *m = note_module(n);
	struct upload_record r;

	if (err != NULL || m == NULL || answer->n == 0 ||
		!upload_record_read(&r, n->arena, &answer->entries[0]) ||
		!str_eq(r.user, jid_str(n->user))) {
		retract_next(n);
		return;
	}
	upload_delete(m, n->shard, m->host->domain, &r, on_retracted_deleted, n);
}

static void
file_delete(struct upload_note *n, struct module_ctx *m)
{
	module_get_entries(m, n->shard, upload_log(jid_domain(n->user)),
		&n->file, 1, STORE_RANGE_MAX, on_retracted_record, n);
}

/* --- the messages of a file -------------------------------------------------------------------------- */

static void
on_note_stored(void *arg, bool ok, const struct err *err)
{
	struct upload_note *n = arg;

	(void)ok; /* the file stays until it is due */
	(void)err;
	if (n->retracts)
		retract_next(n);
	else
		note_end(n);
}

/* Does another one carry it, too? */
static bool
another_stands(const struct upload_note *n, const struct store_answer *answer)
{
	for (size_t i = 0; i < answer->n; i++)
		if (!str_eq(answer->entries[i].key, n->message))
			return true;
	return false;
}

static void
messages_less(struct upload_note *n, struct module_ctx *m,
	const struct store_answer *answer)
{
	struct store_tx *tx;

	if (!another_stands(n, answer)) {
		file_delete(n, m); /* and what is noted of it */
		return;
	}
	tx = note_tx(n);
	store_tx_delete(tx, messages_map(n), n->message);
	store_tx_delete(tx, file_map(n), n->message);
	module_commit(m, n->shard, tx, on_note_stored, n);
}

static void
messages_more(struct upload_note *n, struct module_ctx *m,
	const struct store_answer *answer)
{
	const struct upload_user *u = upload_user_find(
		m, n->shard, jid_domain(n->user), jid_str(n->user));
	struct store_tx *tx;

	if (answer->n >= MESSAGES_MAX ||
		(u != NULL && upload_is_going(u, n->file))) {
		note_end(n);
		return;
	}
	tx = note_tx(n);
	/* a note of a file that has gone meanwhile would stay for ever */
	store_tx_require_entry(tx, upload_log(jid_domain(n->user)), n->file);
	store_tx_set(tx, messages_map(n), n->message, n->files);
	store_tx_set(tx, file_map(n), n->message, STR(""));
	module_commit(m, n->shard, tx, on_note_stored, n);
}

static void
on_messages(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct upload_note *n = arg;
	struct module_ctx *m = note_module(n);

	if (err != NULL || m == NULL)
		note_end(n);
	else if (n->retracts)
		messages_less(n, m, answer);
	else
		messages_more(n, m, answer);
}

static void
messages_read(struct upload_note *n, struct module_ctx *m)
{
	module_list(m, n->shard, file_map(n), on_messages, n);
}

static void
on_message_note(void *arg, const struct store_answer *answer,
	const struct err *err)
{
	struct upload_note *n = arg;
	struct module_ctx *m = note_module(n);

	if (err != NULL || m == NULL || answer->n == 0) {
		note_end(n);
		return;
	}
	n->files = arena_str(n->arena, answer->entries[0].value);
	retract_next(n);
}

/* --- it is sent ---------------------------------------------------------------------------------------- */

/* Is it a file of his?  Others' are not his to delete, whatever he says of them. */
static void
on_sent_record(void *arg, const struct store_answer *answer,
	const struct err *err)
{
	struct upload_note *n = arg;
	struct module_ctx *m = note_module(n);

	if (err != NULL || m == NULL || answer->n == 0 ||
		!str_eq(answer->entries[0].with, jid_str(n->user)))
		note_end(n);
	else
		messages_read(n, m);
}

static void
message_note(struct module_ctx *m, const struct account *acc,
	const struct stanza *st, const struct files *files, size_t i)
{
	struct upload_note *n = note_new(m, acc, st, st->id);
	struct buf all = BUF_INIT;

	for (size_t k = 0; k < files->n; k++)
		buf_printf(&all, k == 0 ? "%.*s" : " %.*s",
			STR_ARG(files->ids[k]));
	n->file = arena_str(n->arena, files->ids[i]);
	n->files = arena_str(n->arena, buf_str(&all));
	buf_done(&all);
	note_add(n, m);
}

static void
note_begin(struct upload_note *n, struct module_ctx *m)
{
	if (n->retracts)
		module_get(m, n->shard, messages_map(n), n->message,
			on_message_note, n);
	else
		module_get_entries(m, n->shard, upload_log(jid_domain(n->user)),
			&n->file, 1, STORE_RANGE_MAX, on_sent_record, n);
}

/* One key is no longer than the store has it. */
static bool
id_is_noted(const struct stanza *st, struct str id)
{
	return id.n != 0 && id.n + st->to.bare_len + 1 <= STORE_KEY_MAX;
}

enum hook_result
upload_on_send(struct module_ctx *m, void *arg)
{
	const struct session_stanza *out = arg;
	const struct upload_conf *conf = m->conf;
	const struct stanza *st = out->st;
	struct retraction retraction;
	struct files files;
	struct upload_note *n;

	if (st->kind != STANZA_MESSAGE || !conf->retract ||
		(st->type != MESSAGE_CHAT && st->type != MESSAGE_NORMAL) ||
		!jid_is_set(st->to))
		return HOOK_PASS;
	if (retraction_read(&retraction, st) && id_is_noted(st, retraction.of)) {
		n = note_new(m, out->account, st, retraction.of);
		n->retracts = true;
		note_add(n, m);
		return HOOK_PASS;
	}
	if (!id_is_noted(st, st->id))
		return HOOK_PASS;
	files_of(&files, st);
	for (size_t i = 0; i < files.n; i++)
		message_note(m, out->account, st, &files, i);
	return HOOK_PASS;
}

/* --- the file goes ------------------------------------------------------------------------------------ */

struct store_place
upload_sent_place(const struct upload_user *u, struct arena *a, struct str id)
{
	return (struct store_place){ str_c(u->host), str_c(u->owner),
		arena_printf(a, UPLOAD_SENT " %.*s", STR_ARG(id)) };
}

void
upload_sent_forget(struct store_tx *tx,
	struct store_place of_file, const struct store_answer *answer)
{
	struct store_place messages = of_file;

	messages.name = STR(UPLOAD_SENT);
	for (size_t i = 0; i < answer->n; i++)
		store_tx_delete(tx, messages, answer->entries[i].key);
	if (answer->n != 0)
		store_tx_clear(tx, of_file);
}

/* A note holds the module: there is none left. */
void
upload_notes_done(struct upload_shard *us)
{
	table_done(&us->note_lines);
}
