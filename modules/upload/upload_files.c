/*
 * upload_files.c - uploads as files of this machine.
 *
 *	FOLDER/example.org/3f/a0/3fa0...    one for each, under its id
 *	FOLDER/example.org/new/3fa0...      an empty one, while that is finished
 *
 * All work is done by disk threads (disk/disk.h).  Invariant: a name on disk is made of
 * a domain that we serve and an id that we have drawn; nothing of it is a stranger's
 * (hostile 57).
 */
#include "config.h"

#include "upload_storage.h"

/* Two levels of 256 folders: of ten million files 150 lie in each. */
#define NAME_FORMAT "%.*s/%.2s/%.2s/%.*s"
#define NOTES_FOLDER "new"

struct upload_storage {
	struct shard *shard;
	struct disk_folder *folder;
};

struct upload_draft {
	struct disk_draft *disk; /* NULL: finished */
	const struct upload_draft_events *events;
	void *arg;
};

/* A name as it is asked for. */
static struct str
file_name(struct buf *out, struct str host, struct str id)
{
	buf_printf(out, NAME_FORMAT, STR_ARG(host), id.p, id.p + 2, STR_ARG(id));
	return buf_str(out);
}

static struct upload_storage *
files_open(struct shard *sh, const char *place)
{
	struct upload_storage *s = xcalloc(1, sizeof(*s));

	s->shard = sh;
	s->folder = disk_folder_new(sh->server->disk, place);
	return s;
}

static void
files_close(struct upload_storage *s)
{
	disk_folder_unref(s->folder);
	free(s);
}

static bool
files_prepare(struct upload_storage *s, upload_done_fn done, void *arg,
	struct err *err)
{
	return disk_folder_prepare(s->folder, &s->shard->mailbox, done, arg, err);
}

/* --- drafts --------------------------------------------------------------------------- */

static void
on_draft_room(void *arg)
{
	struct upload_draft *d = arg;

	d->events->room(d->arg);
}

static void
on_draft_failed(void *arg, const struct err *why)
{
	struct upload_draft *d = arg;

	d->events->failed(d->arg, why);
}

static void
on_draft_finished(void *arg)
{
	struct upload_draft *d = arg;

	d->disk = NULL;
	d->events->finished(d->arg);
}

static const struct disk_draft_events draft_events = {
	.room = on_draft_room,
	.failed = on_draft_failed,
	.finished = on_draft_finished,
};

static struct upload_draft *
files_draft(struct upload_storage *s, const struct disk_spare *spare,
	const struct upload_draft_events *events, void *arg, struct err *err)
{
	struct upload_draft *d = xcalloc(1, sizeof(*d));

	d->events = events;
	d->arg = arg;
	d->disk = disk_draft_new(s->folder, &s->shard->mailbox, &draft_events, d,
		err);
	if (d->disk != NULL) {
		disk_draft_spare(d->disk, spare);
		return d;
	}
	free(d);
	return NULL;
}

static bool
files_write(struct upload_draft *d, const char *p, size_t n)
{
	return disk_draft_write(d->disk, p, n);
}

static char *
files_place(struct upload_draft *d, size_t *n_out)
{
	return disk_draft_place(d->disk, n_out);
}

static bool
files_put(struct upload_draft *d, size_t n)
{
	return disk_draft_put(d->disk, n);
}

static void
files_finish(struct upload_draft *d, struct str host, struct str id, bool sync)
{
	struct buf name = BUF_INIT;

	disk_draft_finish(d->disk, file_name(&name, host, id), sync);
	buf_done(&name);
}

static void
files_discard(struct upload_draft *d)
{
	if (d == NULL)
		return;
	if (d->disk != NULL)
		disk_draft_discard(d->disk);
	free(d);
}

/* --- notes ------------------------------------------------------------------------------ */

static struct str
note_name(struct buf *out, struct str host, struct str id)
{
	buf_printf(out, "%.*s/" NOTES_FOLDER "/%.*s", STR_ARG(host), STR_ARG(id));
	return buf_str(out);
}

/* One that is being written: an empty draft. */
struct noting {
	struct disk_draft *disk;
	upload_done_fn done;
	void *arg;
};

static void
on_note_room(void *arg)
{
	(void)arg;
}

static void
on_note_failed(void *arg, const struct err *why)
{
	struct noting n = *(struct noting *)arg;

	free(arg);
	disk_draft_discard(n.disk);
	n.done(n.arg, why);
}

static void
on_note_finished(void *arg)
{
	struct noting n = *(struct noting *)arg;

	free(arg);
	n.done(n.arg, NULL);
}

static const struct disk_draft_events note_events = {
	.room = on_note_room,
	.failed = on_note_failed,
	.finished = on_note_finished,
};

static bool
files_note(struct upload_storage *s, struct str host, struct str id,
	upload_done_fn done, void *arg, struct err *err)
{
	struct noting *n = xcalloc(1, sizeof(*n));
	struct buf name = BUF_INIT;

	n->done = done;
	n->arg = arg;
	n->disk = disk_draft_new(s->folder, &s->shard->mailbox, &note_events, n,
		err);
	if (n->disk == NULL) {
		free(n);
		return false;
	}
	disk_draft_finish(n->disk, note_name(&name, host, id), false);
	buf_done(&name);
	return true;
}

/* One that stays is looked at by the next start.  Nobody hears of it: the module may
 * have left memory by then. */
static void
files_unnote(struct upload_storage *s, struct str host, struct str id)
{
	struct buf name = BUF_INIT;

	(void)disk_remove(s->folder, note_name(&name, host, id),
		&s->shard->mailbox, NULL, NULL, NULL);
	buf_done(&name);
}

/* --- serving ---------------------------------------------------------------------------- */

/* A request that waits for its file. */
struct serving {
	struct http_request *r;
	struct buf etag;
	struct VEC(struct http_field) fields; /* with the NULL at the end */
	struct buf values;
};

/* Values are borrowed by who asks, and have to be there later. */
static void
fields_keep(struct serving *sv, const struct http_field *fields)
{
	size_t at = 0;

	for (const struct http_field *f = fields; f->name != NULL; f++)
		buf_add_str(&sv->values, f->value);
	for (const struct http_field *f = fields; f->name != NULL; f++) {
		*vec_push(&sv->fields) = (struct http_field){ f->name,
			{ sv->values.p + at, f->value.n } };
		at += f->value.n;
	}
	*vec_push(&sv->fields) = (struct http_field){ .name = NULL };
}

static void
serving_free(struct serving *sv)
{
	vec_done(&sv->fields);
	buf_done(&sv->values);
	buf_done(&sv->etag);
	free(sv);
}

static unsigned
status_of(const struct err *why)
{
	switch (why->code) {
	case ERR_MISSING:
	case ERR_REFUSED:
		return 404;
	case ERR_BUSY:
		return 503;
	default:
		return 500;
	}
}

static void
serving_refuse(struct serving *sv, const struct err *why)
{
	if (status_of(why) == 500)
		log_error(LOG_NET, LOG_NOBODY,
			"a file cannot be read reason=\"%s\"", why->text);
	else if (status_of(why) == 503 &&
		log_limit_ok(&sv->r->shard->http_refused, LOG_NET))
		log_warn(LOG_NET, LOG_NOBODY,
			"a file cannot be read now reason=\"%s\"", why->text);
	http_answer(sv->r, status_of(why), NULL, STR_NONE);
}

static void
on_opened(void *arg, struct disk_file *f, const struct err *why)
{
	struct serving *sv = arg;
	struct http_request *r = sv->r;

	if (f != NULL && http_is_gone(r))
		disk_file_close(f);
	else if (f != NULL)
		http_answer_file(r,
			&(struct http_file){
				.file = f,
				.size = disk_file_size(f),
				.changed_us = disk_file_mtime_us(f),
				.etag = buf_str(&sv->etag),
			},
			sv->fields.p);
	else if (!http_is_gone(r))
		serving_refuse(sv, why);
	serving_free(sv);
	http_let_go(r);
}

/* An id is given once, and what it names never changes: it is its entity tag. */
static void
files_serve(struct upload_storage *s, struct http_request *r, struct str host,
	struct str id, const struct http_field *fields)
{
	struct serving *sv = xcalloc(1, sizeof(*sv));
	struct buf name = BUF_INIT;
	struct err err = ERR_INIT;

	sv->r = r;
	buf_printf(&sv->etag, "\"%.*s\"", STR_ARG(id));
	fields_keep(sv, fields);
	http_hold(r);
	if (!disk_open(s->folder, file_name(&name, host, id),
			&s->shard->mailbox, on_opened, sv, &err)) {
		serving_refuse(sv, &err);
		serving_free(sv);
		http_let_go(r);
	}
	buf_done(&name);
}

/* --- single calls --------------------------------------------------------------------------- */

struct asked {
	upload_done_fn done;
	upload_look_fn look;
	upload_space_fn space;
	void *arg;
};

static struct asked *
asked_new(struct asked as)
{
	struct asked *a = xmalloc(sizeof(*a));

	*a = as;
	return a;
}

static void
on_removed(void *arg, const struct err *why)
{
	struct asked a = *(struct asked *)arg;

	free(arg);
	a.done(a.arg, why != NULL && why->code == ERR_MISSING ? NULL : why);
}

static bool
files_remove(struct upload_storage *s, struct str host, struct str id,
	upload_done_fn done, void *arg, struct err *err)
{
	struct asked *a = asked_new(
		(struct asked){ .done = done, .arg = arg });
	struct buf name = BUF_INIT;
	bool ok = disk_remove(s->folder, file_name(&name, host, id),
		&s->shard->mailbox, on_removed, a, err);

	buf_done(&name);
	if (!ok)
		free(a);
	return ok;
}

static void
on_looked(void *arg, struct disk_file *f, const struct err *why)
{
	struct asked a = *(struct asked *)arg;
	uint64_t bytes = f != NULL ? disk_file_size(f) : 0;

	free(arg);
	disk_file_close(f);
	if (why != NULL && why->code == ERR_MISSING)
		why = NULL;
	a.look(a.arg, f != NULL, bytes, why);
}

static bool
files_look(struct upload_storage *s, struct str host, struct str id,
	upload_look_fn fn, void *arg, struct err *err)
{
	struct asked *a = asked_new((struct asked){ .look = fn, .arg = arg });
	struct buf name = BUF_INIT;
	bool ok = disk_open(s->folder, file_name(&name, host, id),
		&s->shard->mailbox, on_looked, a, err);

	buf_done(&name);
	if (!ok)
		free(a);
	return ok;
}

static void
on_space(void *arg, const struct disk_space *space, const struct err *why)
{
	struct asked a = *(struct asked *)arg;

	free(arg);
	if (why != NULL)
		a.space(a.arg, 0, 0, why);
	else
		a.space(a.arg, space->free_bytes, space->all_bytes, NULL);
}

static bool
files_space(struct upload_storage *s, upload_space_fn fn, void *arg,
	struct err *err)
{
	struct asked *a = asked_new(
		(struct asked){ .space = fn, .arg = arg });
	bool ok = disk_space(s->folder, &s->shard->mailbox, on_space, a, err);

	if (!ok)
		free(a);
	return ok;
}

/* --- all of them ------------------------------------------------------------------------------ */

#define FOUND_MAX 64 /* what upload_check.c takes at once */

struct upload_walk {
	struct disk_folder *folder; /* of the host, or of its notes */
	bool notes;
	struct disk_walk *disk;
	upload_walk_fn fn;
	void *arg;
};

static struct upload_walk *
walk_new(struct upload_storage *s, struct str host, bool notes)
{
	struct upload_walk *w = xcalloc(1, sizeof(*w));
	struct buf path = BUF_INIT;

	buf_printf(&path, "%s/%.*s%s", disk_folder_path(s->folder),
		STR_ARG(host), notes ? "/" NOTES_FOLDER : "");
	w->notes = notes;
	w->folder = disk_folder_new(s->shard->server->disk, buf_c(&path));
	w->disk = disk_walk_new(w->folder, &s->shard->mailbox);
	buf_done(&path);
	return w;
}

static struct upload_walk *
files_walk(struct upload_storage *s, struct str host)
{
	return walk_new(s, host, false);
}

static struct upload_walk *
files_walk_notes(struct upload_storage *s, struct str host)
{
	return walk_new(s, host, true);
}

/* Only what we have named: "3f/a0/3fa0...", and of notes "3fa0...". */
static bool
found_id(const struct upload_walk *w, struct str name, struct str *id_out)
{
	struct str one, two;

	if (w->notes) {
		*id_out = name;
		return upload_id_ok(name);
	}
	return str_cut(name, '/', &one, id_out) &&
		str_cut(*id_out, '/', &two, id_out) && upload_id_ok(*id_out) &&
		one.n == 2 && two.n == 2 && str_starts(*id_out, one) &&
		str_starts((struct str){ id_out->p + 2, id_out->n - 2 }, two);
}

static bool
found_read(const struct upload_walk *w, struct upload_found *f,
	const struct disk_entry *e)
{
	struct str id;

	if (!found_id(w, e->name, &id))
		return false;
	memcpy(f->id, id.p, id.n);
	f->id[id.n] = '\0';
	f->bytes = e->size;
	f->at_us = e->mtime_us;
	return true;
}

static void
on_walked(void *arg, const struct disk_entry *entries, size_t n, bool is_end,
	const struct err *why)
{
	struct upload_walk *w = arg;
	struct upload_found found[FOUND_MAX];
	size_t n_found = 0;

	for (size_t i = 0; i < n; i++)
		n_found += found_read(w, &found[n_found], &entries[i]);
	/* nothing was ever uploaded */
	if (why != NULL && why->code == ERR_MISSING)
		w->fn(w->arg, NULL, 0, true, NULL);
	else
		w->fn(w->arg, found, n_found, is_end, why);
}

static bool
files_next(struct upload_walk *w, upload_walk_fn fn, void *arg, struct err *err)
{
	w->fn = fn;
	w->arg = arg;
	return disk_walk_next(w->disk, FOUND_MAX, on_walked, w, err);
}

static void
files_end(struct upload_walk *w)
{
	disk_walk_free(w->disk);
	disk_folder_unref(w->folder);
	free(w);
}

const struct upload_storage_class upload_files = {
	.name = "files",
	.open = files_open,
	.close = files_close,
	.prepare = files_prepare,
	.draft = files_draft,
	.write = files_write,
	.place = files_place,
	.put = files_put,
	.finish = files_finish,
	.discard = files_discard,
	.note = files_note,
	.unnote = files_unnote,
	.serve = files_serve,
	.remove = files_remove,
	.look = files_look,
	.space = files_space,
	.walk = files_walk,
	.walk_notes = files_walk_notes,
	.next = files_next,
	.end = files_end,
};
