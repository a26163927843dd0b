/*
 * upload_sweep.c - deletes what is due, and what accounts that have gone have left,
 * some at a time.
 *
 * At the place of the host, so that nobody else does.  Looks once after a start, and
 * each minute while there is any file; a host at which nothing was ever uploaded costs
 * nothing.  A server that stops waits for the slice that is under way.  Invariant: one
 * slice is under way at a time; what cannot be deleted is asked
 * for again when it is its turn, behind all others.
 */
#include "config.h"

#include "upload.h"

#include <stdio.h>

#define LOOK_US (60 * US_PER_S)
#define SLICE 64

struct upload_sweep {
	LIST_ENTRY(upload_sweep) link;
	struct upload_shard *here;
	struct module_entry *entry;
	char *host;
	struct timer timer;
	bool busy;         /* a slice is under way, which holds the module */
	bool again;        /* somebody has said meanwhile that there may be something */
	bool looked;       /* for what a killed process had noted */
	int64_t began_us;  /* wall clock: what was noted before is not of this one */
	unsigned under_way;
	unsigned n;        /* of the slice */
	bool failed;       /* something of it was not deleted */
	unsigned failed_at; /* the last of these; of what is due its id: */
	char after[UPLOAD_ID_BYTES + 1]; /* the next slice begins behind it */
	char *removed;     /* the account whose files they are; or NULL */
	int64_t removed_us; /* when it was removed, wall clock */
	char entry_id[24]; /* that says so */
	char entry_after[24]; /* the next one stands behind it: it could not be dealt
			       * with; "": none such */
};

static void
sweep_free(struct upload_sweep *s)
{
	free(s->host);
	free(s->removed);
	free(s);
}

/* The module at its host; NULL: it is not in force there any more. */
static struct module_ctx *
sweep_module(const struct upload_sweep *s)
{
	return upload_module(s->here->shard, str_c(s->host), s->entry);
}

static void on_look(struct timer *timer);

static void
sweep_set(struct upload_sweep *s, int64_t in_us)
{
	shard_timer(s->here->shard, &s->timer, in_us, on_look);
}

/* in_us -1: nothing is left to look for; but what came meanwhile may not have been
 * there yet when it was looked for. */
static void
sweep_rest(struct upload_sweep *s, int64_t in_us)
{
	if (in_us < 0 && s->again)
		in_us = LOOK_US;
	s->busy = false;
	s->again = false;
	free(s->removed);
	s->removed = NULL;
	if (in_us >= 0)
		sweep_set(s, in_us);
}

/* --- a slice ---------------------------------------------------------------------------- */

struct slice_item {
	struct upload_sweep *sweep;
	unsigned at; /* in the slice, from 1 on */
	char id[UPLOAD_ID_BYTES + 1];
};

static void sweep_look(struct upload_sweep *s);
static void sweep_due(struct upload_sweep *s, struct module_ctx *m);
static void sweep_forget_account(struct upload_sweep *s, struct module_ctx *m);

static void
slice_end(struct upload_sweep *s)
{
	struct module_ctx *m = sweep_module(s);

	if (upload_stops(s->here->shard)) {
		sweep_rest(s, -1); /* the next start goes on */
	} else if (m == NULL || (s->failed && s->removed == NULL)) {
		sweep_rest(s, LOOK_US);
	} else if (s->failed) {
		/* another one comes first the next time */
		memcpy(s->entry_after, s->entry_id, sizeof(s->entry_after));
		sweep_due(s, m);
	} else if (s->n != 0 && s->removed == NULL) {
		sweep_due(s, m); /* there may be more */
	} else if (s->n != 0) {
		sweep_look(s);
	} else if (s->removed != NULL) {
		sweep_forget_account(s, m);
	} else {
		sweep_rest(s, LOOK_US);
	}
}

static void
slice_failed(struct upload_sweep *s, const struct slice_item *item,
	const struct err *why)
{
	log_warn(LOG_NET, LOG_NOBODY,
		"a file that is due stays for now host=%s reason=\"%s\"",
		s->host, why->text);
	if (s->removed == NULL && item->at > s->failed_at) {
		s->failed_at = item->at;
		memcpy(s->after, item->id, sizeof(s->after));
	}
	s->failed = true;
}

static void
on_one_deleted(void *arg, const struct err *why)
{
	struct slice_item *item = arg;
	struct upload_sweep *s = item->sweep;

	if (why != NULL)
		slice_failed(s, item, why);
	free(item);
	if (--s->under_way == 0)
		slice_end(s);
}

/* Of one that cannot be read nothing is known but its id; what another account of the
 * name has uploaded since is not that of the one that has gone. */
static void
slice_delete(struct upload_sweep *s, struct module_ctx *m,
	const struct store_entry *e)
{
	struct arena *a = arena_new();
	struct slice_item *item;
	struct upload_record r;

	if (!upload_record_read(&r, a, e))
		r = (struct upload_record){ .id = e->key, .user = e->with,
			.series = STR("") };
	if (s->removed == NULL || r.at_us <= s->removed_us) {
		item = xcalloc(1, sizeof(*item));
		item->sweep = s;
		item->at = ++s->n;
		memcpy(item->id, r.id.p, MIN(r.id.n, UPLOAD_ID_BYTES));
		s->under_way++;
		upload_delete(m, s->here->shard, str_c(s->host), &r,
			on_one_deleted, item);
	}
	arena_free(a);
}

static void
slice_begin(struct upload_sweep *s, struct module_ctx *m,
	const struct store_answer *answer)
{
	s->n = 0;
	s->failed = false;
	s->failed_at = 0;
	s->under_way = 1;
	for (size_t i = 0; i < answer->n; i++)
		slice_delete(s, m, &answer->entries[i]);
	if (--s->under_way == 0)
		slice_end(s);
}

/* --- what is due ---------------------------------------------------------------------------- */

/* Once, and not where nothing was ever uploaded. */
static void
sweep_look_noted(struct upload_sweep *s, struct module_ctx *m)
{
	if (!s->looked)
		upload_noted_look(m, s->here->shard, s->began_us);
	s->looked = true;
}

static void
on_any(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct upload_sweep *s = arg;
	struct module_ctx *m = sweep_module(s);

	if (m != NULL && answer->n != 0)
		sweep_look_noted(s, m);
	/* a record that comes later says so: upload_sweep_soon() */
	sweep_rest(s, err == NULL && answer->n == 0 ? -1 : LOOK_US);
}

static void
on_due(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct upload_sweep *s = arg;
	struct module_ctx *m = sweep_module(s);

	if (err == NULL && m != NULL && answer->n != 0) {
		sweep_look_noted(s, m);
		slice_begin(s, m, answer);
		return;
	}
	if (err != NULL || m == NULL || s->after[0] != '\0')
		sweep_rest(s, LOOK_US); /* from the start again */
	else
		module_range(m, s->here->shard, upload_log(str_c(s->host)),
			&(struct store_range){ .max = 1 }, on_any, s);
	s->after[0] = '\0';
}

static void
sweep_due(struct upload_sweep *s, struct module_ctx *m)
{
	free(s->removed);
	s->removed = NULL;
	module_range(m, s->here->shard, upload_log(str_c(s->host)),
		&(struct store_range){ .max = SLICE, .by_time = true,
			.until_us = shard_wall_us(s->here->shard),
			.after_id = s->after[0] != '\0' ? str_c(s->after) :
							  STR_NONE },
		on_due, s);
}

/* --- accounts that have gone -------------------------------------------------------------------- */

struct store_place
upload_removed_log(struct str host)
{
	return (struct store_place){ host, STR(""), STR(UPLOAD_REMOVED) };
}

static void
on_account_forgotten(void *arg, bool ok, const struct err *err)
{
	struct upload_sweep *s = arg;

	(void)err;
	free(s->removed);
	s->removed = NULL;
	if (ok && sweep_module(s) != NULL)
		sweep_look(s);
	else
		sweep_rest(s, LOOK_US);
}

static void
sweep_forget_account(struct upload_sweep *s, struct module_ctx *m)
{
	struct store_tx *tx = store_tx_new();

	store_tx_delete_entry(
		tx, upload_removed_log(str_c(s->host)), str_c(s->entry_id));
	module_commit(m, s->here->shard, tx, on_account_forgotten, s);
}

static void
on_left_behind(void *arg, const struct store_answer *answer,
	const struct err *err)
{
	struct upload_sweep *s = arg;
	struct module_ctx *m = sweep_module(s);

	if (err != NULL || m == NULL)
		sweep_rest(s, LOOK_US);
	else
		slice_begin(s, m, answer);
}

static void
account_begin(struct upload_sweep *s, struct module_ctx *m,
	const struct store_entry *e)
{
	s->removed = str_dup(e->with);
	s->removed_us = e->wall_us;
	snprintf(s->entry_id, sizeof(s->entry_id), "%.*s", STR_ARG(e->key));
	module_range(m, s->here->shard, upload_log(str_c(s->host)),
		&(struct store_range){ .max = SLICE, .with = e->with },
		on_left_behind, s);
}

/* Where there is none behind one that could not be dealt with, that is the first again
 * the next time. */
static void
on_removed_read(void *arg, const struct store_answer *answer,
	const struct err *err)
{
	struct upload_sweep *s = arg;
	struct module_ctx *m = sweep_module(s);

	if (err != NULL || answer->n == 0)
		s->entry_after[0] = '\0';
	if (err != NULL || m == NULL)
		sweep_rest(s, LOOK_US);
	else if (answer->n != 0)
		account_begin(s, m, &answer->entries[0]);
	else
		sweep_due(s, m);
}

/* --- looking ---------------------------------------------------------------------------------------- */

static void
sweep_look(struct upload_sweep *s)
{
	struct module_ctx *m = sweep_module(s);

	if (m == NULL) {
		sweep_rest(s, -1);
		return;
	}
	s->busy = true;
	free(s->removed);
	s->removed = NULL;
	module_range(m, s->here->shard, upload_removed_log(str_c(s->host)),
		&(struct store_range){ .max = 1,
			.after_id = s->entry_after[0] != '\0' ?
				str_c(s->entry_after) : STR_NONE },
		on_removed_read, s);
}

static void
on_look(struct timer *timer)
{
	struct upload_sweep *s = CONTAINER_OF(timer, struct upload_sweep, timer);

	if (!s->busy)
		sweep_look(s);
}

static struct upload_sweep *
sweep_find(const struct upload_shard *us, struct str host)
{
	struct upload_sweep *s;

	LIST_FOREACH (s, &us->sweeps, link)
		if (str_is(host, s->host))
			return s;
	return NULL;
}

void
upload_follow(struct module_ctx *m, struct shard *sh)
{
	const struct upload_conf *conf = m->conf;
	struct str host = m->host->domain;
	struct upload_shard *us = upload_shard_of(m, sh);
	struct upload_sweep *s;

	if (!place_is_here(sh, server_place_of(sh->server, host)))
		return;
	/* one that was chosen is known to be of no use before somebody needs it; the
	 * other is made with the first file */
	if (conf->folder != NULL)
		(void)upload_storage_of(m, sh, NULL);
	s = sweep_find(us, host);
	if (s == NULL) {
		s = xcalloc(1, sizeof(*s));
		s->here = us;
		s->entry = m->entry;
		s->host = str_dup(host);
		s->began_us = shard_wall_us(sh);
		LIST_INSERT_HEAD(&us->sweeps, s, link);
	}
	if (s->busy)
		s->again = true;
	else if (!timer_is_set(&s->timer))
		sweep_set(s, LOOK_US);
}

/* --- from elsewhere ------------------------------------------------------------------------------------- */

struct soon {
	struct module_entry *entry; /* held */
	char *host;
};

static void
on_soon(struct shard *sh, void *arg)
{
	struct soon soon = *(struct soon *)arg;
	struct module_ctx *m = upload_module(sh, str_c(soon.host), soon.entry);

	free(arg);
	if (m != NULL)
		upload_follow(m, sh);
	free(soon.host);
	module_release(soon.entry);
}

void
upload_sweep_soon(struct module_ctx *m, struct shard *sh, struct str host)
{
	struct soon *soon = xmalloc(sizeof(*soon));

	*soon = (struct soon){ module_hold(m), str_dup(host) };
	place_post(sh->server, server_place_of(sh->server, host), on_soon, soon,
		sizeof(*soon));
}

void
upload_sweeps_done(struct upload_shard *us)
{
	struct upload_sweep *s;

	while ((s = LIST_FIRST(&us->sweeps)) != NULL) {
		LIST_REMOVE(s, link);
		shard_timer_cancel(us->shard, &s->timer);
		sweep_free(s);
	}
}
