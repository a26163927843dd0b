/*
 * archive_sweep.c - what archives hold goes when it is too old, or when there is too
 * much of it at the domain.
 *
 * At the place of the domain, so that nobody else does.  It walks the owners of archives,
 * some at a time and with rests, and begins again an hour after it has come to the end;
 * where nothing can be too old, nor too much, one walk is all.  An archive that is too
 * large is made smaller where something is added to it, by its module, and here when the
 * bound has been lowered since.
 *
 *	rest --> owners, a part --> due? --> a slice of it goes --> a rest, and the owner
 *	  ^        ^    |             | no                          is looked at again
 *	  |        |    |             v
 *	  |        '-more of them <-- next one
 *	  '------------ the last
 *
 * A slice is one commit, and has a rest behind it of three times what it took: so
 * others have most of the writer.  While the store is behind, nothing goes.  What waits
 * for who is away is moved to what waits, as everywhere.
 *
 * The oldest of a whole domain go up to a time, which is the same for all of its
 * archives: where a walk finds that they are too much together, the next one deletes
 * what is older than a time shortly behind that of the oldest, and stops as soon as it
 * is enough.  So some walks come to the bound, without a list of what is there.
 *
 * Invariant: one answer of the store is waited for, or the timer is set, or the module
 * is not in force at the domain.
 */
#include "config.h"

#include "archive/archive_sweep.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/timer.h"
#include "base/vec.h"
#include "conf/option.h"
#include "store/store.h"
#include "core/host.h"
#include "core/module_ctx.h"
#include "core/place.h"
#include "core/server.h"
#include "core/shard.h"

#define LOOK_US (60 * US_PER_S)   /* after a start, a reload, a failure */
#define WALK_US (3600 * US_PER_S) /* from one walk to the next */
#define PART 64                   /* owners */
#define PART_US (US_PER_S / 4)
#define REST_MAX_US (1 * US_PER_S)
/* So much of the time since the oldest message goes in one walk at most, where a host
 * has too much, and so much at least. */
#define STEP_PART (1.0 / 64)
#define STEP_MIN_US (1 * US_PER_S)

/* What all archives of the domain hold, as far as they were looked at. */
struct archive_sum {
	uint64_t bytes; /* with STORE_ENTRY_BYTES for each message */
	int64_t oldest_us;
};

/* Of one that is kept less long than others are. */
struct archive_own {
	char *owner;
	int64_t keep_us;
};

struct archive_sweep {
	LIST_ENTRY(archive_sweep) link;
	struct shard *shard;
	const struct archive_kind *kind;
	struct module_entry *entry;
	char *host;
	struct timer timer;
	bool busy;        /* an answer is to come, which holds the module */
	bool walks;       /* it is somewhere between the first and the last */
	char *after;      /* the owner that was looked at last; NULL: none */
	char *owner;      /* of whom something has just gone; or NULL */
	uint64_t had_bytes, had_messages; /* that one, before it */
	bool enough;      /* and nothing more of it goes in this walk */
	int64_t asked_us; /* monotonic: for the slice */
	int64_t cut_us;   /* what is older is too much for the host; 0: nothing */
	uint64_t left;    /* bytes of the host, as far as is known */
	uint64_t gone;    /* messages, in this walk */
	struct archive_sum sum; /* of this walk */
	struct VEC(struct archive_own) own; /* behind `after', in order */
	bool own_whole;   /* there are no more of them */
};

static void sweep_read(struct archive_sweep *s);

/* What is kept there; false: the module is not in force there any more. */
static bool
sweep_bounds(const struct archive_sweep *s, struct archive_bounds *out)
{
	struct host *host = shard_host(s->shard, str_c(s->host));
	struct module_ctx *m =
		host != NULL ? module_at_host(host, s->entry) : NULL;

	if (m != NULL)
		s->kind->bounds(m, out);
	return m != NULL;
}

/* The store is asked: the module stays until it has answered. */
static void
sweep_busy(struct archive_sweep *s)
{
	s->busy = true;
	module_entry_hold(s->entry);
}

static void
on_timer(struct timer *timer)
{
	sweep_read(CONTAINER_OF(timer, struct archive_sweep, timer));
}

static void
sweep_rest(struct archive_sweep *s, int64_t in_us)
{
	shard_timer(s->shard, &s->timer, in_us, on_timer);
}

static void
owner_forget(struct archive_sweep *s)
{
	free(s->owner);
	s->owner = NULL;
	s->enough = false;
}

static void
own_forget(struct archive_sweep *s)
{
	for (size_t i = 0; i < s->own.n; i++)
		free(s->own.p[i].owner);
	vec_done(&s->own);
	s->own_whole = true;
}

static void
after_set(struct archive_sweep *s, struct str owner)
{
	free(s->after);
	s->after = owner.p != NULL ? str_dup(owner) : NULL;
}

/* --- a walk ------------------------------------------------------------------------ */

/* What is older would be too much if all had come evenly; but not much of the time at
 * once, since it has not. */
static int64_t
cut_of(const struct archive_sum *sum, uint64_t host_bytes, int64_t now_us)
{
	double part = (double)(sum->bytes - host_bytes) / (double)sum->bytes;
	int64_t span_us = MAX(now_us - sum->oldest_us, 0);

	return sum->oldest_us +
		MAX((int64_t)((double)span_us * MIN(part, STEP_PART)),
			STEP_MIN_US);
}

static void
walk_end(struct archive_sweep *s, const struct archive_bounds *b)
{
	bool is_too_much =
		b->host_bytes != 0 && s->sum.bytes > b->host_bytes;

	if (s->gone != 0)
		log_info(LOG_STORE, LOG_NOBODY,
			"archives have lost their oldest host=%s messages=%llu left_bytes=%llu",
			s->host, (unsigned long long)s->gone,
			(unsigned long long)s->sum.bytes);
	s->left = s->sum.bytes;
	s->cut_us = is_too_much ? cut_of(&s->sum, b->host_bytes,
					  shard_wall_us(s->shard)) :
				  0;
	s->walks = false;
	after_set(s, STR_NONE);
	owner_forget(s);
	if (is_too_much)
		sweep_rest(s, PART_US);
	else if (b->host_bytes != 0 || b->keep_us < OPTION_NEVER ||
		s->kind->own != NULL)
		sweep_rest(s, WALK_US);
}

static void
walk_begin(struct archive_sweep *s)
{
	s->walks = true;
	s->gone = 0;
	s->sum = (struct archive_sum){ .oldest_us = INT64_MAX };
}

/* --- an archive ---------------------------------------------------------------------- */

static uint64_t
bytes_of(const struct store_entry *e)
{
	return e->bytes + e->total * STORE_ENTRY_BYTES;
}

static int64_t
keep_of(const struct archive_sweep *s, const struct archive_bounds *b,
	struct str owner)
{
	for (size_t i = 0; i < s->own.n; i++) {
		if (str_is(owner, s->own.p[i].owner))
			return MIN(b->keep_us, s->own.p[i].keep_us);
	}
	return b->keep_us;
}

/* What is older goes; 0: nothing is too old. */
static int64_t
too_old(const struct archive_sweep *s, const struct archive_bounds *b,
	struct str owner)
{
	int64_t us = 0, keep_us = keep_of(s, b, owner);

	if (keep_us < OPTION_NEVER)
		us = MAX(shard_wall_us(s->shard) - keep_us, 0);
	if (b->host_bytes != 0 && s->left > b->host_bytes)
		us = MAX(us, s->cut_us);
	return us;
}

/* What there is of the owner of whom something has gone; e may be another one's, or
 * NULL: then there is nothing. */
static void
count_gone(struct archive_sweep *s, const struct store_entry *e)
{
	bool same = e != NULL && s->owner != NULL && str_is(e->key, s->owner);
	uint64_t bytes = same ? bytes_of(e) : 0;
	uint64_t messages = same ? e->total : 0;

	if (s->owner == NULL)
		return;
	/* some may have come */
	if (bytes < s->had_bytes)
		s->left -= MIN(s->left, s->had_bytes - bytes);
	if (messages < s->had_messages)
		s->gone += s->had_messages - messages;
	if (!same)
		owner_forget(s);
}

static void
on_slice(void *arg, bool more, const struct err *err)
{
	struct archive_sweep *s = arg;
	int64_t took_us = s->shard->now_us - s->asked_us;
	struct archive_bounds b;

	s->busy = false;
	s->enough = !more || err != NULL;
	if (err != NULL && store_takes_writes(s->shard->server->store))
		log_warn(LOG_STORE, LOG_NOBODY,
			"an archive keeps what is too old or too much for now %s=%s@%s reason=\"%s\"",
			s->kind->of, s->owner, s->host, err->text);
	if (sweep_bounds(s, &b))
		sweep_rest(s, err != NULL ? LOOK_US :
					    MIN(3 * took_us, REST_MAX_US));
	module_release(s->entry);
}

static void
slice_go(struct archive_sweep *s, const struct archive_bounds *b,
	const struct store_entry *e, int64_t before_us)
{
	const struct store_trim trim = { .before_us = before_us,
		.max_bytes = b->max_bytes,
		.waits = str_c(s->kind->waits) };
	struct store_place at = { str_c(s->host), e->key, str_c(s->kind->log) };

	owner_forget(s);
	s->owner = str_dup(e->key);
	s->had_bytes = bytes_of(e);
	s->had_messages = e->total;
	s->asked_us = s->shard->now_us;
	sweep_busy(s);
	store_trim(s->shard->server->store, at, &trim, &s->shard->mailbox, on_slice,
		s);
}

/* False: something of it goes first. */
static bool
archive_pass(struct archive_sweep *s, const struct archive_bounds *b,
	const struct store_entry *e)
{
	int64_t before_us = too_old(s, b, e->key);

	if (!s->enough &&
		(e->wall_us < before_us || bytes_of(e) > b->max_bytes)) {
		slice_go(s, b, e, before_us);
		return false;
	}
	owner_forget(s);
	after_set(s, e->key);
	s->sum.bytes += bytes_of(e);
	s->sum.oldest_us = MIN(s->sum.oldest_us, e->wall_us);
	return true;
}

/* Is it not known yet for how long it is kept?  Those that are lie up to the last. */
static bool
is_behind_own(const struct archive_sweep *s, struct str owner)
{
	return !s->own_whole &&
		str_cmp(owner, str_c(s->own.p[s->own.n - 1].owner)) > 0;
}

static void
owners_look(struct archive_sweep *s, const struct store_answer *answer,
	const struct archive_bounds *b)
{
	bool all = answer->complete || answer->n == 0;

	count_gone(s, answer->n != 0 ? &answer->entries[0] : NULL);
	for (size_t i = 0; i < answer->n; i++) {
		if (is_behind_own(s, answer->entries[i].key)) {
			after_set(s, str_c(s->own.p[s->own.n - 1].owner));
			all = false;
			break;
		}
		if (!archive_pass(s, b, &answer->entries[i]))
			return;
	}
	if (all)
		walk_end(s, b);
	else
		sweep_rest(s, PART_US);
}

/* Where the module is not in force any more, archive_sweep_follow() begins it again. */
static void
on_owners(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct archive_sweep *s = arg;
	struct archive_bounds b;

	s->busy = false;
	if (sweep_bounds(s, &b)) {
		if (err == NULL)
			owners_look(s, answer, &b);
		else
			sweep_rest(s, LOOK_US);
	}
	module_release(s->entry);
}

/* Of whom something has just gone, comes first again. */
static void
owners_read(struct archive_sweep *s)
{
	sweep_busy(s);
	store_log_owners(s->shard->server->store, str_c(s->host),
		str_c(s->kind->log),
		s->after != NULL ? str_c(s->after) : STR_NONE,
		s->owner != NULL ? 1 : PART, &s->shard->mailbox, on_owners, s);
}

/* What cannot be read is kept as long as all else. */
static void
own_add(struct archive_sweep *s, const struct store_entry *e)
{
	long long seconds;

	if (!str_to_int(e->value, 0, INT64_MAX / US_PER_S, &seconds))
		seconds = INT64_MAX / US_PER_S;
	*vec_push(&s->own) = (struct archive_own){ str_dup(e->key),
		seconds * US_PER_S };
}

static void
on_own(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct archive_sweep *s = arg;
	struct archive_bounds b;

	s->busy = false;
	if (err == NULL) {
		for (size_t i = 0; i < answer->n; i++)
			own_add(s, &answer->entries[i]);
		s->own_whole = answer->complete || answer->n == 0;
	}
	if (sweep_bounds(s, &b)) {
		if (err == NULL)
			owners_read(s);
		else
			sweep_rest(s, LOOK_US);
	}
	module_release(s->entry);
}

/* Those that are kept less long come first, as far as there may be some in the part. */
static void
own_read(struct archive_sweep *s)
{
	struct store_place at = { str_c(s->host), STR(""), str_c(s->kind->own) };

	own_forget(s);
	if (s->kind->own == NULL) {
		owners_read(s);
		return;
	}
	sweep_busy(s);
	store_page(s->shard->server->store, at,
		&(struct store_page){ .after = s->after != NULL ?
				str_c(s->after) : STR_NONE, .max = PART },
		&s->shard->mailbox, on_own, s);
}

static void
sweep_read(struct archive_sweep *s)
{
	struct shard *sh = s->shard;
	struct archive_bounds b;

	/* a server that stops waits for what is under way alone */
	if (!sweep_bounds(s, &b) || s->busy || sh->streams_closed)
		return;
	if (store_is_behind(sh->server->store) ||
		!store_takes_writes(sh->server->store)) {
		sweep_rest(s, LOOK_US);
		return;
	}
	if (!s->walks)
		walk_begin(s);
	own_read(s);
}

/* --- what is added ----------------------------------------------------------------------- */

/* So much of its size is made free at once, and no more than a slice of entries that
 * are as small as can be. */
#define ROOM_PART 64
#define ROOM_MAX ((uint64_t)STORE_TRIM_MAX * STORE_ENTRY_BYTES)

void
archive_make_room(uint64_t *room_io, uint64_t max_bytes, struct str waits,
	struct store_tx *tx, struct store_place at, uint64_t bytes)
{
	uint64_t step = MIN(max_bytes / ROOM_PART, ROOM_MAX);
	const struct store_trim trim = { .max_bytes = max_bytes - step,
		.waits = waits };

	if (bytes <= MIN(*room_io, step)) {
		*room_io -= bytes;
		return;
	}
	for (uint64_t n = 0; n <= bytes; n += ROOM_MAX)
		store_tx_trim(tx, at, &trim);
	*room_io = step;
}

/* --- where it lives -------------------------------------------------------------------- */

static struct archive_sweep *
sweep_find(const struct archive_sweeps *sweeps, struct str host)
{
	struct archive_sweep *s;

	LIST_FOREACH (s, &sweeps->all, link)
		if (str_is(host, s->host))
			return s;
	return NULL;
}

void
archive_sweep_follow(struct archive_sweeps *sweeps, struct module_ctx *m,
	struct shard *sh, struct str domain, const struct archive_kind *kind)
{
	struct archive_sweep *s;

	sweeps->shard = sh;
	if (!place_is_here(sh, server_place_of(sh->server, domain)))
		return;
	s = sweep_find(sweeps, domain);
	if (s == NULL) {
		s = xcalloc(1, sizeof(*s));
		s->shard = sh;
		s->kind = kind;
		s->entry = m->entry;
		s->host = str_dup(domain);
		LIST_INSERT_HEAD(&sweeps->all, s, link);
	}
	/* a walk goes on as it was; what is said now holds for the rest of it */
	if (!s->busy && !(s->walks && timer_is_set(&s->timer)))
		sweep_rest(s, LOOK_US);
}

void
archive_sweeps_done(struct archive_sweeps *sweeps)
{
	struct archive_sweep *s;

	while ((s = LIST_FIRST(&sweeps->all)) != NULL) {
		LIST_REMOVE(s, link);
		shard_timer_cancel(sweeps->shard, &s->timer);
		free(s->host);
		free(s->after);
		free(s->owner);
		own_forget(s);
		free(s);
	}
}
