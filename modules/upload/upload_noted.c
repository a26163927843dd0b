/*
 * upload_noted.c - files that are there and have no record: one that could not be
 * recorded, and what a process that was killed had finished and not recorded.
 *
 *	notes, some at a time --> their records --none--> the file goes, then the note
 *	                                        --there-> the note goes
 *
 * The latter at the place of the host, once behind a start.  There are no more notes than files that
 * were about to be finished when it was killed.
 */
#include "config.h"

#include "upload.h"

#define PAGE 64

/* --- a file goes ------------------------------------------------------------------------ */

struct leftover {
	struct module_entry *entry; /* held */
	struct upload_storage *storage;
	char *host;
	char id[UPLOAD_ID_BYTES + 1];
};

static void
on_leftover_removed(void *arg, const struct err *why)
{
	struct leftover l = *(struct leftover *)arg;

	free(arg);
	if (why != NULL) /* the next start tries again */
		log_warn(LOG_NET, LOG_NOBODY,
			"a file stays without a record reason=\"%s\"", why->text);
	else
		STORAGE->unnote(l.storage, str_c(l.host), str_c(l.id));
	free(l.host);
	module_release(l.entry);
}

void
upload_take_back(struct module_entry *entry, struct upload_storage *s,
	struct str host, struct str id)
{
	struct leftover *l = xcalloc(1, sizeof(*l));
	struct err err = ERR_INIT;

	module_entry_hold(entry);
	l->entry = entry;
	l->storage = s;
	l->host = str_dup(host);
	memcpy(l->id, id.p, UPLOAD_ID_BYTES);
	if (!STORAGE->remove(s, host, id, on_leftover_removed, l, &err))
		on_leftover_removed(l, &err);
}

/* --- after a start ------------------------------------------------------------------------ */

struct noted {
	struct module_entry *entry; /* held */
	struct shard *shard;
	char *host;
	struct upload_storage *storage;
	struct upload_walk *walk;
	int64_t before_us;
	/* this page */
	struct upload_found found[PAGE];
	size_t n;
	bool is_last;
};

static void
noted_end(struct noted *n)
{
	struct module_entry *entry = n->entry;

	STORAGE->end(n->walk);
	free(n->host);
	free(n);
	module_release(entry);
}

static void on_noted_found(void *arg, const struct upload_found *found, size_t n,
	bool is_end, const struct err *why);

static void
noted_next(struct noted *n)
{
	struct err err = ERR_INIT;

	if (n->is_last || upload_stops(n->shard) ||
		!STORAGE->next(n->walk, on_noted_found, n, &err))
		noted_end(n);
}

/* answer is in the order of the page. */
static void
on_records(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct noted *n = arg;
	size_t at = 0;

	if (err != NULL || !answer->complete) {
		noted_end(n); /* the next start tries again */
		return;
	}
	for (size_t i = 0; i < n->n; i++) {
		struct str id = str_c(n->found[i].id);

		if (at < answer->n && str_eq(answer->entries[at].key, id)) {
			STORAGE->unnote(n->storage, str_c(n->host), id);
			at++;
		} else {
			upload_take_back(n->entry, n->storage, str_c(n->host),
				id);
		}
	}
	noted_next(n);
}

static void
on_noted_found(void *arg, const struct upload_found *found, size_t n_found,
	bool is_end, const struct err *why)
{
	struct noted *n = arg;
	struct module_ctx *m =
		upload_module(n->shard, str_c(n->host), n->entry);
	struct str ids[PAGE];

	assert(n_found <= PAGE);
	n->is_last = is_end;
	n->n = 0;
	for (size_t i = 0; i < n_found; i++)
		if (found[i].at_us < n->before_us) {
			n->found[n->n] = found[i];
			ids[n->n] = str_c(n->found[n->n].id);
			n->n++;
		}
	if (why != NULL || m == NULL)
		noted_end(n);
	else if (n->n == 0)
		noted_next(n);
	else
		module_get_entries(m, n->shard, upload_log(str_c(n->host)), ids,
			n->n, STORE_RANGE_MAX, on_records, n);
}

void
upload_noted_look(struct module_ctx *m, struct shard *sh, int64_t before_us)
{
	struct err err = ERR_INIT;
	struct upload_storage *s = upload_storage_of(m, sh, &err);
	struct noted *n;

	if (s == NULL)
		return;
	n = xcalloc(1, sizeof(*n));
	n->entry = module_hold(m);
	n->shard = sh;
	n->host = str_dup(m->host->domain);
	n->storage = s;
	n->before_us = before_us;
	n->walk = STORAGE->walk_notes(s, m->host->domain);
	noted_next(n);
}
