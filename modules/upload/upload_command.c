/*
 * upload_command.c - what is uploaded, for administrators and for those whose it is.
 *
 * Shard 0.  A user is asked for at his place, files where their host has them.
 */
#include "config.h"

#include "upload.h"

#define PAGE 256
#define EXPIRE_MIN_US (60 * US_PER_S) /* as in the configuration */

/* A call that is under way. */
struct upload_call {
	struct upload_job job; /* first; where a user is asked */
	struct command_call *call;
	struct upload_own own; /* to be set */
	bool sets;
	struct upload_usage usage;
	struct upload_limits limits;
	struct err why;
};

/* The module at the host of the address or domain that was given; NULL: the call has
 * failed. */
static struct module_ctx *
call_module(struct command_call *call, struct str domain)
{
	struct host *host = shard_host(call->shard, domain);
	struct module_ctx *m =
		host != NULL ? module_at_host(host, call->entry) : NULL;
	struct err err = ERR_INIT;

	if (m != NULL && host->service == NULL)
		return m;
	err_set(&err, ERR_MISSING, "%.*s is no host at which files are uploaded",
		STR_ARG(domain));
	command_fail(call, &err);
	return NULL;
}

static struct jid
call_user(const struct command_call *call)
{
	return jid_bare(jid_trusted(command_value(call, "address")));
}

/* --- list ---------------------------------------------------------------------------- */

static void
file_show(struct command_call *call, const struct upload_record *r)
{
	char time[DATETIME_SIZE];

	command_row(call);
	command_field(call, "id", r->id);
	command_field(call, "user", r->user);
	command_field(call, "name", r->name);
	command_field(call, "type", r->type.p != NULL ? r->type : STR(""));
	command_number(call, "bytes", (int64_t)r->bytes);
	command_field(call, "purpose", str_c(upload_purpose_name(r->purpose)));
	command_field(call, "uploaded", datetime_format(time, r->at_us));
	command_field(call, "expires", r->due_us == UPLOAD_NEVER_US ?
			STR("never") : datetime_format(time, r->due_us));
}

static void list_more(struct command_call *call, struct str after);

static void
on_listed(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct command_call *call = command_call_arg(arg);
	struct arena *a;

	if (err != NULL) {
		command_fail(call, err);
		return;
	}
	a = arena_new();
	for (size_t i = 0; i < answer->n; i++) {
		struct upload_record r;

		if (upload_record_read(&r, a, &answer->entries[i]))
			file_show(call, &r);
	}
	if (answer->complete || answer->n == 0)
		command_done(call);
	else
		list_more(call, answer->entries[answer->n - 1].key);
	arena_free(a);
}

/* Those of one user, in the order in which they came. */
static void
list_more(struct command_call *call, struct str after)
{
	struct jid user = call_user(call);
	struct module_ctx *m = call_module(call, jid_domain(user));

	if (m != NULL)
		module_range(m, call->shard, upload_log(jid_domain(user)),
			&(struct store_range){ .with = jid_str(user),
				.after_id = after, .max = PAGE },
			on_listed, call);
}

static void
list_run(struct command_call *call)
{
	list_more(call, STR_NONE);
}

static const struct command_arg list_args[] = {
	{ "address", ARG_JID, .help = "whose files" },
	{ .name = NULL },
};

/* --- delete ------------------------------------------------------------------------------ */

/* An id, or an address in which it stands. */
static struct str
call_file(const struct command_call *call)
{
	struct str text = command_value(call, "file"), part;

	if (upload_id_ok(text))
		return text;
	while (str_cut(text, '/', &part, &text))
		if (upload_id_ok(part))
			return part;
	return STR_NONE;
}

static void
on_delete_answered(void *arg, const struct err *why)
{
	const struct command_call *call = command_call_arg(arg);

	if (why == NULL)
		log_info(LOG_NET, LOG_NOBODY, "file deleted user=%.*s id=%.8s",
			STR_ARG(jid_str(call_user(call))), call_file(call).p);
	command_answered(arg, why == NULL, why);
}

/* The same answer whether there is none, or it is another's. */
static void
on_delete_found(void *arg, const struct store_answer *answer,
	const struct err *err)
{
	struct command_call *call = command_call_arg(arg);
	struct jid user = call_user(call);
	struct module_ctx *m;
	struct upload_record r;
	struct err missing = ERR_INIT;

	err_set(&missing, ERR_MISSING, "there is no such file of %.*s",
		STR_ARG(jid_str(user)));
	if (err != NULL) {
		command_fail(call, err);
	} else if (answer->n == 0 ||
		!str_eq(answer->entries[0].with, jid_str(user))) {
		command_fail(call, &missing);
	} else if ((m = call_module(call, jid_domain(user))) != NULL) {
		if (!upload_record_read(&r, call->arena, &answer->entries[0]))
			r = (struct upload_record){
				.id = answer->entries[0].key,
				.user = jid_str(user), .series = STR("") };
		upload_delete(m, call->shard, jid_domain(user), &r,
			on_delete_answered, call);
	}
}

static bool
delete_check(struct command_call *call, struct err *err)
{
	return call_file(call).p != NULL ||
		err_set(err, ERR_INVALID,
			"\"file\" is the id of a file, or its address");
}

static void
delete_call_run(struct command_call *call)
{
	struct jid user = call_user(call);
	struct module_ctx *m = call_module(call, jid_domain(user));
	struct str id = call_file(call);

	if (m != NULL)
		module_get_entries(m, call->shard,
			upload_log(jid_domain(user)), &id, 1, STORE_RANGE_MAX,
			on_delete_found, call);
}

static const struct command_arg delete_args[] = {
	{ "address", ARG_JID, .help = "whose file it is" },
	/* with it anybody could fetch one that is not deleted after all */
	{ "file", ARG_TEXT, .unlogged = true, .help = "its id, or its address" },
	{ .name = NULL },
};

/* --- what a user has, and may ---------------------------------------------------------------- */

static void
bytes_show(struct command_call *call, const char *name, uint64_t bytes)
{
	command_number(call, name, (int64_t)MIN(bytes, (uint64_t)INT64_MAX));
}

static void
usage_show(struct upload_call *c)
{
	struct command_call *call = c->call;

	for (int p = 0; p < UPLOAD_PURPOSES; p++) {
		const struct upload_limit *l = &c->limits.of[p];
		struct buf keep = BUF_INIT;

		if (l->expire_us >= OPTION_NEVER)
			buf_add_c(&keep, "never");
		else
			duration_show(&keep, l->expire_us);
		command_row(call);
		command_field(call, "purpose",
			str_c(upload_purpose_name((enum upload_purpose)p)));
		bytes_show(call, "day", c->usage.day_bytes[p]);
		bytes_show(call, "day_max", l->day_bytes);
		bytes_show(call, "file_max",
			upload_max_bytes(&c->limits, (enum upload_purpose)p));
		command_field(call, "expire_after", buf_str(&keep));
		bytes_show(call, "bytes", c->usage.bytes);
		bytes_show(call, "bytes_max", c->limits.total_bytes);
		bytes_show(call, "files", c->usage.files);
		bytes_show(call, "files_max", c->limits.files);
		buf_done(&keep);
	}
}

static void
on_call_home(struct shard *sh, struct upload_job *job)
{
	struct upload_call *c = CONTAINER_OF(job, struct upload_call, job);

	(void)sh;
	if (job->err.code != ERR_NONE)
		c->why = job->err;
	if (c->why.code != ERR_NONE) {
		command_fail(c->call, &c->why);
		return;
	}
	if (!c->sets)
		usage_show(c);
	command_done(c->call);
}

/* Of the day that it is. */
static void
usage_run(struct module_ctx *m, struct upload_user *u, struct upload_job *job)
{
	struct upload_call *c = CONTAINER_OF(job, struct upload_call, job);

	c->usage = u->usage;
	upload_usage_today(&c->usage, shard_wall_us(u->here->shard));
	upload_user_limits(m, u, &c->limits);
	upload_job_end(job);
}

static void
on_limits_stored(void *arg, bool ok, const struct err *err)
{
	struct upload_call *c = arg;

	if (ok)
		c->job.user->stored = true;
	else
		c->why = *err;
	upload_job_end(&c->job);
}

static void
own_merge(struct upload_own *own, const struct upload_own *more)
{
	for (int p = 0; p < UPLOAD_PURPOSES; p++) {
		if (more->file_bytes[p] >= 0)
			own->file_bytes[p] = more->file_bytes[p];
		if (more->day_bytes[p] >= 0)
			own->day_bytes[p] = more->day_bytes[p];
		if (more->expire_us[p] >= 0)
			own->expire_us[p] = more->expire_us[p];
	}
	if (more->total_bytes >= 0)
		own->total_bytes = more->total_bytes;
	if (more->files >= 0)
		own->files = more->files;
}

/* In force at once; when it cannot be stored, until he leaves memory. */
static void
limits_run(struct module_ctx *m, struct upload_user *u, struct upload_job *job)
{
	struct upload_call *c = CONTAINER_OF(job, struct upload_call, job);
	struct store_tx *tx = store_tx_new();

	if (command_switch(c->call, "reset"))
		upload_own_init(&u->own);
	own_merge(&u->own, &c->own);
	upload_user_write(u, tx);
	module_commit(m, u->here->shard, tx, on_limits_stored, c);
}

static struct upload_call *
upload_call_new(struct command_call *call, void (*run)(struct module_ctx *m,
						 struct upload_user *u,
						 struct upload_job *job))
{
	struct upload_call *c = xcalloc(1, sizeof(*c));

	c->call = call;
	c->job.run = run;
	c->job.done = on_call_home;
	upload_own_init(&c->own);
	return c;
}

static void
usage_call_run(struct command_call *call)
{
	struct jid user = call_user(call);
	struct module_ctx *m = call_module(call, jid_domain(user));
	struct upload_call *c;

	if (m == NULL)
		return;
	c = upload_call_new(call, usage_run);
	upload_ask(m, call->shard, &c->job, jid_domain(user), jid_str(user));
}

/* --- limits of his own --------------------------------------------------------------------------- */

static bool
size_value(const struct command_call *call, const char *name, int64_t *out,
	struct err *err)
{
	struct str text = command_value(call, name);
	uint64_t bytes;

	if (text.p == NULL)
		return true;
	if (!size_parse(text, &bytes) || bytes > INT64_MAX)
		return err_set(err, ERR_INVALID,
			"\"%s\" is a size, such as 10MiB", name);
	*out = (int64_t)bytes;
	return true;
}

/* What the arguments say. */
static bool
own_of_call(const struct command_call *call, struct upload_own *own,
	struct err *err)
{
	struct str purpose = command_value(call, "purpose");
	struct str expire = command_value(call, "expire-after");
	struct str files = command_value(call, "files");
	enum upload_purpose p = UPLOAD_MESSAGE;
	long long n = -1;

	upload_own_init(own);
	if (purpose.p != NULL && !upload_purpose_parse(purpose, &p))
		return err_set(err, ERR_INVALID,
			"\"purpose\" is message, profile, ephemeral or permanent");
	if (expire.p != NULL && (!duration_parse(expire, &own->expire_us[p]) ||
			own->expire_us[p] < EXPIRE_MIN_US))
		return err_set(err, ERR_INVALID,
			"\"expire-after\" is a time of a minute or more, such as "
			"31d, or never");
	if (files.p != NULL && !str_to_int(files, 0, INT64_MAX, &n))
		return err_set(err, ERR_INVALID, "\"files\" is a number");
	own->files = n;
	return size_value(call, "file-bytes", &own->file_bytes[p], err) &&
		size_value(call, "day-bytes", &own->day_bytes[p], err) &&
		size_value(call, "total-bytes", &own->total_bytes, err);
}

static bool
limits_check(struct command_call *call, struct err *err)
{
	struct upload_own own;

	return own_of_call(call, &own, err);
}

static void
limits_call_run(struct command_call *call)
{
	struct jid user = call_user(call);
	struct module_ctx *m = call_module(call, jid_domain(user));
	struct upload_call *c;

	if (m == NULL)
		return;
	c = upload_call_new(call, limits_run);
	c->sets = true;
	own_of_call(call, &c->own, NULL);
	upload_ask(m, call->shard, &c->job, jid_domain(user), jid_str(user));
}

static const struct command_arg limits_args[] = {
	{ "address", ARG_JID, .help = "whose limits" },
	{ "purpose", ARG_TEXT, .optional = true, .option = true,
		.help = "of which files the next three are: message, profile, "
			"ephemeral or permanent (message)" },
	{ "file-bytes", ARG_TEXT, .optional = true, .option = true,
		.help = "how large one may be, such as 10MiB" },
	{ "day-bytes", ARG_TEXT, .optional = true, .option = true,
		.help = "how much of them he may upload in a day" },
	{ "expire-after", ARG_TEXT, .optional = true, .option = true,
		.help = "after how long they are deleted, such as 31d, or never" },
	{ "total-bytes", ARG_TEXT, .optional = true, .option = true,
		.help = "how much he may have in all; 0: any amount" },
	{ "files", ARG_TEXT, .optional = true, .option = true,
		.help = "how many files he may have" },
	{ "reset", ARG_SWITCH, .optional = true, .option = true,
		.help = "forget first what was said of him before" },
	{ .name = NULL },
};

static const struct command_arg usage_args[] = {
	{ "address", ARG_JID, .help = "of whom" },
	{ .name = NULL },
};

#define FOR_ALL (BY_OPERATOR | BY_HOST_ADMIN | BY_ACCOUNT)

const struct command upload_commands[] = {
	{ "upload-check", "compare uploaded files with what is known of them",
		"Lists files without a record and records without a file; with "
		"--mend, these are deleted. A file is left alone for a day after "
		"it has come, since one may be uploaded right now.",
		upload_check_args, upload_check_run, NULL,
		BY_OPERATOR | BY_HOST_ADMIN },
	{ "upload-delete", "delete a file that a user has uploaded", NULL,
		delete_args, delete_call_run, delete_check, FOR_ALL },
	{ "upload-limits", "set what a user may upload",
		"What is not said stays as it was; where nothing was ever said, "
		"the configuration holds. It is for files that come from now on.",
		limits_args, limits_call_run, limits_check,
		BY_OPERATOR | BY_HOST_ADMIN },
	{ "upload-usage", "show what a user has uploaded, and may",
		"A row for each purpose. day is what he has uploaded today, by "
		"UTC; bytes and files are what is here of his, for whatever "
		"purpose.",
		usage_args, usage_call_run, NULL, FOR_ALL },
	{ "uploads", "list the files that a user has uploaded", NULL, list_args,
		list_run, NULL, FOR_ALL },
	{ .name = NULL },
};
