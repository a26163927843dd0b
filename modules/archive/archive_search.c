/*
 * archive_search.c - messages that have all of some words, by command.
 *
 * Shard 0.  They are read and shown in parts, each when whoever called has taken the one
 * before it, as far as he has said.  What is missing from the index is told at the end:
 *
 *   parts --(all is shown, or as many as are wanted)--> oldest --> found?
 *       oldest  the first message, of the oldest few, that has words at all
 *       found?  by one of its own words; else there was no search when it came
 */
#include "config.h"

#include "archive_command.h"

#define PART 64
#define PART_BYTES ((size_t)256 << 10)
#define MAX_DEFAULT 50
#define MAX_MOST 10000
/* The oldest that are looked at, whether they are found. */
#define OLDEST 64

static void search_more(struct command_call *call);

/* --- what was asked for ------------------------------------------------------------- */

static bool
words_read(struct command_call *call, struct str *out, struct err *err)
{
	struct buf buf = BUF_INIT;
	bool all = text_words_wanted(&buf, command_value(call, "words"));
	size_t n = buf.n != 0;

	for (size_t i = 0; i < buf.n; i++)
		n += buf.p[i] == ' ';
	*out = arena_str(call->arena, buf_str(&buf));
	buf_done(&buf);
	if (!all || n > STORE_WORDS_MAX)
		return err_set(err, ERR_LIMIT, "search for fewer words");
	return n != 0 || err_set(err, ERR_INVALID, "there is no word in it");
}

static bool
max_read(const struct command_call *call, uint32_t *out, struct err *err)
{
	struct str max = command_value(call, "max");
	long long n = MAX_DEFAULT;

	if (max.p != NULL && !str_to_int(max, 1, MAX_MOST, &n))
		return err_set(err, ERR_INVALID, "\"max\" is from 1 to %d",
			MAX_MOST);
	*out = (uint32_t)n;
	return true;
}

bool
archive_search_check(struct command_call *call, struct err *err)
{
	struct str words;
	uint32_t max;

	return archive_address_check(call, err) &&
		words_read(call, &words, err) && max_read(call, &max, err);
}

/* --- what cannot be found ----------------------------------------------------------- */

static void
on_oldest_sought(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct command_call *call = command_call_arg(arg);
	const struct archive_call *c = call->state;

	if (err != NULL) {
		command_fail(call, err);
		return;
	}
	if (answer->n == 0 || !str_eq(answer->entries[0].key, c->oldest))
		command_text(call,
			"-- What was archived while there was no search is not "
			"found; the oldest messages here are such.");
	command_done(call);
}

/* Its first word; the first entry that has it at all is that very one. */
static bool
oldest_take(struct command_call *call, const struct store_entry *e,
	struct str *word_out)
{
	struct archive_call *c = call->state;
	struct arena *a = arena_new();
	const struct elem *message = stored_read(a, e->value);
	struct buf words = BUF_INIT;
	struct str word, rest;

	if (message != NULL)
		archive_words(&words, a, message);
	str_cut(buf_str(&words), ' ', &word, &rest);
	if (words.n != 0) {
		*word_out = arena_str(call->arena, word);
		c->oldest = arena_str(call->arena, e->key);
	}
	arena_free(a);
	buf_done(&words);
	return c->oldest.p != NULL;
}

static void
on_oldest(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct command_call *call = command_call_arg(arg);
	struct archive_call *c = call->state;
	struct store_range range = { .max = 1 };
	struct module_ctx *m;

	if (err != NULL) {
		command_fail(call, err);
		return;
	}
	for (size_t i = 0; i < answer->n; i++) {
		if (oldest_take(call, &answer->entries[i], &range.words))
			break;
	}
	m = archive_call_module(call);
	if (m == NULL)
		return;
	if (c->oldest.p != NULL)
		module_range(m, call->shard, c->at, &range, on_oldest_sought,
			call);
	else
		command_done(call);
}

static void
search_end(struct command_call *call, bool more)
{
	struct archive_call *c = call->state;
	struct module_ctx *m = archive_call_module(call);

	if (m == NULL)
		return;
	if (more)
		command_text(call, "-- There are more: see --max.");
	module_range(m, call->shard, c->at,
		&(struct store_range){ .max = OLDEST, .max_bytes = PART_BYTES },
		on_oldest, call);
}

/* --- what is found ------------------------------------------------------------------ */

static void
found_show(struct command_call *call, const struct store_entry *e)
{
	struct arena *a = arena_new();
	const struct elem *message = stored_read(a, e->value);

	/* else the database was damaged */
	if (message != NULL)
		archive_line_show(call, a, message, e);
	arena_free(a);
}

static void
on_found(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct command_call *call = command_call_arg(arg);
	struct archive_call *c = call->state;
	size_t n = answer != NULL ? answer->n : 0;
	uint32_t shown;

	if (err != NULL && err->code == ERR_MISSING && c->after.p != NULL) {
		/* it has gone, and so has all before it */
		c->after = STR_NONE;
		if (c->range.backwards)
			search_end(call, false);
		else
			search_more(call);
		return;
	}
	if (err != NULL) {
		command_fail(call, err);
		return;
	}
	shown = (uint32_t)MIN(n, (size_t)c->left);
	for (size_t i = 0; i < shown; i++)
		found_show(call,
			&answer->entries[c->range.backwards ? n - 1 - i : i]);
	c->left -= shown;
	if (shown < n || answer->complete || n == 0) {
		search_end(call, shown < n);
		return;
	}
	c->after = arena_str(call->arena,
		answer->entries[c->range.backwards ? 0 : n - 1].key);
	command_when_taken(call, search_more);
}

/* One more than is shown tells whether there are more. */
static void
search_more(struct command_call *call)
{
	struct archive_call *c = call->state;
	struct module_ctx *m;

	if (call->unheard) {
		command_done(call);
		return;
	}
	m = archive_call_module(call);
	if (m == NULL)
		return;
	c->range.max = MIN(c->left + 1, PART);
	if (c->range.backwards)
		c->range.before_id = c->after;
	else
		c->range.after_id = c->after;
	module_range(m, call->shard, c->at, &c->range, on_found, call);
}

static void
search_begin(struct command_call *call)
{
	struct module_ctx *m = archive_call_module(call);
	struct archive_call *c = call->state;
	const struct archive_conf *conf;
	struct err err = ERR_INIT;

	if (m == NULL)
		return;
	conf = m->conf;
	c->range.backwards = !command_switch(call, "oldest");
	c->range.max_bytes = PART_BYTES;
	if (!conf->search) {
		err_set(&err, ERR_REFUSED,
			"search is off at %.*s, and words are not kept, see "
			"modules: archive: search in antiphond.yml",
			STR_ARG(c->at.host));
		command_fail(call, &err);
	} else if (!words_read(call, &c->range.words, &err) ||
		!max_read(call, &c->left, &err)) {
		command_fail(call, &err);
	} else {
		search_more(call);
	}
}

void
archive_search_run(struct command_call *call)
{
	archive_call_begin(call, search_begin);
}
