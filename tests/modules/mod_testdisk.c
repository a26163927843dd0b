/*
 * mod_testdisk.c - writes many files at once, so that it shows how many there may be.
 * Built with the tests, never installed.
 */
#include <stdio.h>

#include "module/module.h"

#define FILES_MAX 4096

struct writing {
	struct command_call *call;
	struct disk_folder *dir;
	struct file *files;
	size_t n, n_open, n_refused, n_written;
};

struct file {
	struct writing *writing;
	struct disk_draft *draft;
};

static void
writing_end(struct writing *w)
{
	command_row(w->call);
	command_number(w->call, "written", (int64_t)w->n_written);
	command_number(w->call, "refused", (int64_t)w->n_refused);
	command_done(w->call);
	disk_folder_unref(w->dir);
	free(w->files);
	free(w);
}

static void
file_end(struct file *f)
{
	struct writing *w = f->writing;

	if (--w->n_open == 0)
		writing_end(w);
}

static void
on_room(void *arg)
{
	(void)arg;
}

static void
on_failed(void *arg, const struct err *why)
{
	struct file *f = arg;

	log_error(LOG_MODULE, LOG_NOBODY, "a file failed: %s", why->text);
	disk_draft_discard(f->draft);
	file_end(f);
}

static void
on_finished(void *arg)
{
	struct file *f = arg;

	f->writing->n_written++;
	file_end(f);
}

static const struct disk_draft_events draft_events = { on_room, on_failed,
	on_finished };

static void
file_begin(struct writing *w, struct file *f)
{
	struct err err = ERR_INIT;

	f->writing = w;
	f->draft = disk_draft_new(w->dir, &w->call->shard->mailbox, &draft_events,
		f, &err);
	if (f->draft == NULL) {
		w->n_refused++;
		return;
	}
	w->n_open++;
	disk_draft_write(f->draft, "text", 4);
}

/* All are open before the first one is finished. */
static void
run_write(struct command_call *call)
{
	struct writing *w = xcalloc(1, sizeof(*w));
	struct buf path = BUF_INIT;
	long long n = 0;

	w->call = call;
	w->n = str_to_int(command_value(call, "files"), 1, FILES_MAX, &n) ?
		(size_t)n :
		1;
	buf_add_str(&path, command_value(call, "folder"));
	w->dir = disk_folder_new(call->server->disk, buf_c(&path));
	buf_done(&path);
	w->files = xcalloc(w->n, sizeof(w->files[0]));
	for (size_t i = 0; i < w->n; i++)
		file_begin(w, &w->files[i]);
	for (size_t i = 0; i < w->n; i++) {
		char name[40];

		snprintf(name, sizeof(name), "%zu/%zu", i % 7, i);
		if (w->files[i].draft != NULL)
			disk_draft_finish(w->files[i].draft, str_c(name), true);
	}
	if (w->n_open == 0)
		writing_end(w);
}

static const struct command_arg write_args[] = {
	{ "folder", ARG_PATH, .help = "where" },
	{ "files", ARG_INT, .help = "how many" },
	{ .name = NULL },
};

static const struct command disk_commands[] = {
	{ "write-files", "write many files at once", NULL, write_args,
		.run = run_write, .may = BY_OPERATOR },
	{ .name = NULL },
};

MODULE(testdisk) = {
	.api = MODULE_API,
	.name = "testdisk",
	.summary = "write files, for tests",
	.commands = disk_commands,
};
