/*
 * upload_check.c - files without a record, and records without a file: what a crash, a
 * restored backup or somebody's hand has left.
 *
 *	files, some at a time --> their records --none--> shown, deleted
 *	records, some at a time, each --> its file --none, or of another size--> the same
 *
 * Shard 0.  Neither is held in memory: there may be ten millions of each.
 */
#include "config.h"

#include "upload.h"

#include <stdio.h>

#define PAGE 64
/* A file is there before its record. */
#define YOUNG_US (86400 * US_PER_S)

const struct command_arg upload_check_args[] = {
	{ "domain", ARG_DOMAIN, .help = "the host whose files they are" },
	{ "mend", ARG_SWITCH, .optional = true, .option = true,
		.help = "delete them" },
	{ .name = NULL },
};

struct check {
	struct command_call *call;
	struct upload_storage *storage;
	struct upload_walk *walk; /* NULL: records are looked at */
	bool mends, is_last;
	/* this page */
	struct upload_found found[PAGE];
	struct VEC(struct upload_record) records;
	struct arena *arena;      /* of their texts */
	size_t n, i;
	char after[UPLOAD_ID_BYTES + 1]; /* the last record that stays; "": none yet */
};

static struct str
check_host(const struct check *c)
{
	return command_value(c->call, "domain");
}

static struct module_ctx *
check_module(const struct check *c)
{
	return upload_module(c->call->shard, check_host(c), c->call->entry);
}

static void
check_end(struct check *c, const struct err *why)
{
	struct command_call *call = c->call;

	if (c->walk != NULL)
		STORAGE->end(c->walk);
	arena_free(c->arena);
	vec_done(&c->records);
	free(c);
	if (why != NULL)
		command_fail(call, why);
	else
		command_done(call);
}

/* The module at the host, in order to go on; NULL: it is over. */
static struct module_ctx *
check_go_on(struct check *c, const struct err *why)
{
	bool stops = upload_stops(c->call->shard);
	struct module_ctx *m = why == NULL && !stops ? check_module(c) : NULL;
	struct err err = ERR_INIT;

	if (m != NULL)
		return m;
	err_set(&err, ERR_CLOSED, stops ? "the server stops" :
			"the module is not in force any more");
	check_end(c, why != NULL ? why : &err);
	return NULL;
}

static void
check_show(struct check *c, const char *what, struct str id, struct str user,
	uint64_t bytes)
{
	command_row(c->call);
	command_field(c->call, "id", id);
	command_field(c->call, "found", str_c(what));
	command_field(c->call, "user", user);
	command_number(c->call, "bytes", (int64_t)bytes);
}

/* --- records without a file ---------------------------------------------------------------- */

static void records_next(struct check *c, struct module_ctx *m);
static void records_read(struct check *c, struct module_ctx *m);

static void
on_record_mended(void *arg, const struct err *why)
{
	struct check *c = arg;
	struct module_ctx *m = check_go_on(c, why);

	if (m != NULL)
		records_next(c, m);
}

static void
on_file_looked(void *arg, bool found, uint64_t bytes, const struct err *why)
{
	struct check *c = arg;
	struct module_ctx *m = check_go_on(c, why);
	const struct upload_record *r;

	if (m == NULL)
		return;
	r = &c->records.p[c->i++];
	if (!c->mends || (found && bytes == r->bytes))
		memcpy(c->after, r->id.p, UPLOAD_ID_BYTES);
	if (found && bytes == r->bytes) {
		records_next(c, m);
		return;
	}
	check_show(c, found ? "another size" : "no file", r->id, r->user,
		r->bytes);
	if (c->mends)
		upload_delete(m, c->call->shard, check_host(c), r,
			on_record_mended, c);
	else
		records_next(c, m);
}

static void
records_next(struct check *c, struct module_ctx *m)
{
	struct err err = ERR_INIT;

	if (c->i < c->records.n) {
		if (!STORAGE->look(c->storage, check_host(c),
			    c->records.p[c->i].id, on_file_looked, c, &err))
			check_end(c, &err);
	} else if (c->is_last) {
		check_end(c, NULL);
	} else {
		records_read(c, m);
	}
}

static void
on_records(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct check *c = arg;
	struct module_ctx *m;
	struct err gone = ERR_INIT;

	if (err != NULL && err->code == ERR_MISSING) {
		err_set(&gone, ERR_BUSY,
			"files are being deleted: call it again for the rest");
		err = &gone;
	}
	m = check_go_on(c, err);
	if (m == NULL)
		return;
	arena_free(c->arena);
	c->arena = arena_new();
	c->records.n = 0;
	c->i = 0;
	c->is_last = answer->complete || answer->n == 0;
	for (size_t i = 0; i < answer->n; i++) {
		struct upload_record r;

		if (upload_record_read(&r, c->arena, &answer->entries[i]))
			*vec_push(&c->records) = r;
	}
	/* nobody can read any of these */
	if (answer->n != 0 && c->records.n == 0)
		snprintf(c->after, sizeof(c->after), "%.*s",
			STR_ARG(answer->entries[answer->n - 1].key));
	records_next(c, m);
}

static void
records_read(struct check *c, struct module_ctx *m)
{
	module_range(m, c->call->shard, upload_log(check_host(c)),
		&(struct store_range){ .max = PAGE,
			.after_id = c->after[0] != '\0' ? str_c(c->after) :
							  STR_NONE },
		on_records, c);
}

/* --- files without a record ------------------------------------------------------------------- */

static void found_next(struct check *c, struct module_ctx *m);

static void
on_file_mended(void *arg, const struct err *why)
{
	struct check *c = arg;
	struct module_ctx *m = check_go_on(c, why);

	if (m != NULL)
		found_next(c, m);
}

/* Those of the page that have no record are left, in their order; answer is in the
 * order of the page, too. */
static void
found_keep(struct check *c, const struct store_answer *answer)
{
	int64_t old_us = shard_wall_us(c->call->shard) - YOUNG_US;
	size_t kept = 0, at = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (at < answer->n &&
			str_is(answer->entries[at].key, c->found[i].id))
			at++;
		else if (c->found[i].at_us <= old_us)
			c->found[kept++] = c->found[i];
	}
	c->n = kept;
}

static void
on_found_records(void *arg, const struct store_answer *answer,
	const struct err *err)
{
	struct check *c = arg;
	struct module_ctx *m;
	struct err partly = ERR_INIT;

	if (err == NULL && !answer->complete) {
		err_set(&partly, ERR_LIMIT, "records are too large");
		err = &partly;
	}
	m = check_go_on(c, err);
	if (m == NULL)
		return;
	found_keep(c, answer);
	found_next(c, m);
}

static void
found_ask(struct check *c, struct module_ctx *m)
{
	struct str ids[PAGE];

	for (size_t i = 0; i < c->n; i++)
		ids[i] = str_c(c->found[i].id);
	module_get_entries(m, c->call->shard, upload_log(check_host(c)), ids,
		c->n, STORE_RANGE_MAX, on_found_records, c);
}

/* The next of those without a record. */
static const struct upload_found *
found_show(struct check *c)
{
	const struct upload_found *f = &c->found[c->i++];

	check_show(c, "no record", str_c(f->id), STR(""), f->bytes);
	return f;
}

static void
on_found(void *arg, const struct upload_found *found, size_t n, bool is_end,
	const struct err *why)
{
	struct check *c = arg;
	struct module_ctx *m = check_go_on(c, why);

	if (m == NULL)
		return;
	assert(n <= PAGE);
	if (n != 0)
		memcpy(c->found, found, n * sizeof(*found));
	c->n = n;
	c->i = 0;
	c->is_last = is_end;
	if (n != 0)
		found_ask(c, m);
	else
		found_next(c, m);
}

static void
found_next(struct check *c, struct module_ctx *m)
{
	struct err err = ERR_INIT;

	while (!c->mends && c->i < c->n)
		(void)found_show(c);
	if (c->i < c->n) {
		struct str id = str_c(found_show(c)->id);

		if (!STORAGE->remove(c->storage, check_host(c), id,
			    on_file_mended, c, &err))
			check_end(c, &err);
	} else if (!c->is_last) {
		if (!STORAGE->next(c->walk, on_found, c, &err))
			check_end(c, &err);
	} else {
		STORAGE->end(c->walk);
		c->walk = NULL;
		records_read(c, m);
	}
}

/* --- the call ------------------------------------------------------------------------------------ */

void
upload_check_run(struct command_call *call)
{
	struct check *c = xcalloc(1, sizeof(*c));
	struct err err = ERR_INIT;
	struct module_ctx *m;

	c->call = call;
	c->mends = command_switch(call, "mend");
	m = check_go_on(c, NULL);
	if (m == NULL)
		return;
	c->storage = upload_storage_of(m, call->shard, &err);
	if (c->storage == NULL) {
		check_end(c, &err);
		return;
	}
	c->walk = STORAGE->walk(c->storage, check_host(c));
	found_next(c, m);
}
