/*
 * s2s_in_resume.c - streams of other servers that broke, and others that go on with
 * them (XEP-0198 §5): how much of what came by one was dealt with is remembered for a
 * minute.
 *
 *   counts --breaks--> asleep --a minute, or too many--> forgotten
 *      |                  |
 *      '-- <resume/> -----'--all that came is dealt with--> counts, in another stream
 *
 * The new stream may have come to another shard than the old one, and where that is,
 * the id says; when it has moved on since, that shard knows:
 *
 *   new stream         home: of the id        where it is
 *     <resume/> held ------> is it here? ------> same domains? all dealt with?
 *     <resumed h=/> <------------------------------ n; it is gone there
 *                            it is at .. <----------'
 *
 * Each on the shard that is named.  Invariant: what can be resumed is on one shard, or
 * on its way to another.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memuse.h"
#include "base/text.h"
#include "xml/elem.h"
#include "core/place.h"
#include "stream/server/s2s_known.h"
#include "stream/server/s2s_sm.h"

#define SLEEP_US (S2S_SM_SLEEP_S * US_PER_S)
/* That sleep at one shard, and of those the ones of one domain; and what is remembered
 * of their domains. */
#define SLEEPERS_MAX 1000
#define SLEEPERS_OF_DOMAIN 8
#define SLEEPERS_BYTES (1024 * 1024)

/* What can be resumed, and has its home here, but is elsewhere. */
struct s2s_moved {
	LIST_ENTRY(s2s_moved) in;
	struct place at;
	char id[S2S_SM_ID_SIZE];
};

/* On its way between shards. */
struct s2s_resume {
	struct element_later later; /* the stream that asks, */
	struct place from;          /* and where it is */
	char id[S2S_SM_ID_SIZE];
	char *pairs;   /* that it has; at last, those of what it goes on with */
	bool ok, too_high;
	uint32_t n;    /* up to which all is dealt with; h is too_high: the last number
			* that has gone back */
	uint32_t h;    /* up to which all has come of what has gone back by it */
};

/* --- ids ----------------------------------------------------------------------- */

/* §5: nobody else reads anything in it. */
void
s2s_sm_id_make(struct shard *sh, char out[S2S_SM_ID_SIZE])
{
	char secret[RAND_ID_SIZE];

	rand_id(sh->rand, secret);
	snprintf(out, S2S_SM_ID_SIZE, "%u.%s", sh->index, secret);
}

static bool
id_home(const struct shard *sh, struct str id, struct place *out)
{
	const char *dot = id.n < S2S_SM_ID_SIZE && id.n != 0 ?
		memchr(id.p, '.', id.n) :
		NULL;
	long long index;

	if (dot == NULL ||
		!str_to_int((struct str){ id.p, (size_t)(dot - id.p) }, 0,
			sh->server->n_shards - 1, &index))
		return false;
	*out = (struct place){ .shard = (uint16_t)index };
	return true;
}

/* --- pairs, as text: "remote local\n" for each ------------------------------------ */

static char *
pairs_text(const struct s2s_in *c)
{
	struct buf out = BUF_INIT;
	char *text;

	for (size_t i = 0; i < c->pairs.n; i++)
		buf_printf(&out, "%s %s\n", c->pairs.p[i].remote,
			c->pairs.p[i].local);
	text = str_dup(buf_str(&out));
	buf_done(&out);
	return text;
}

static bool
pairs_have(const char *all, const char *line, size_t n)
{
	for (const char *end; *all != '\0'; all = end + 1) {
		end = strchr(all, '\n');
		if (str_eq((struct str){ all, (size_t)(end - all) },
			    (struct str){ line, n }))
			return true;
	}
	return false;
}

/* Is each of some among all? */
static bool
pairs_cover(const char *all, const char *some)
{
	for (const char *end; *some != '\0'; some = end + 1) {
		end = strchr(some, '\n');
		if (!pairs_have(all, some, (size_t)(end - some)))
			return false;
	}
	return true;
}

static bool
is_of_same_domain(const char *a, const char *b)
{
	return str_eq((struct str){ a, strcspn(a, " ") },
		(struct str){ b, strcspn(b, " ") });
}

/* --- what is elsewhere -------------------------------------------------------------- */

static struct s2s_moved *
moved_find(const struct s2s_known *k, const char *id)
{
	struct s2s_moved *m;

	LIST_FOREACH (m, &k->moved, in)
		if (strcmp(m->id, id) == 0)
			break;
	return m;
}

static void
moved_forget(struct s2s_known *k, const char *id)
{
	struct s2s_moved *m = moved_find(k, id);

	if (m == NULL)
		return;
	LIST_REMOVE(m, in);
	free(m);
}

/* arg (taken) is where it is; at here: it is no more. */
static void
on_moved_on(struct shard *sh, void *arg)
{
	struct s2s_moved *m = arg;
	struct s2s_known *k = s2s_known(sh);

	if (k != NULL)
		moved_forget(k, m->id);
	if (k == NULL || place_is_here(sh, m->at))
		free(m);
	else
		LIST_INSERT_HEAD(&k->moved, m, in);
}

/* The home of id is told, if that is not here. */
static void
moved_tell(struct shard *sh, const char *id, struct place at)
{
	struct s2s_moved *m = xcalloc(1, sizeof(*m));
	struct place home;

	m->at = at;
	memcpy(m->id, id, sizeof(m->id));
	if (id_home(sh, str_c(id), &home) && !place_is_here(sh, home))
		place_post(sh->server, home, on_moved_on, m, sizeof(*m));
	else
		on_moved_on(sh, m);
}

static void
moved_gone(struct shard *sh, const char *id)
{
	struct place home;

	if (id_home(sh, str_c(id), &home))
		moved_tell(sh, id, home);
}

/* --- what sleeps ---------------------------------------------------------------------- */

static void on_sleep_end(struct timer *t);

static size_t
sleeper_bytes(const struct s2s_sm_in *in)
{
	return strlen(in->pairs) + s2s_runs_bytes(&in->went);
}

static void
sleeper_leave(struct s2s_sm_in *in)
{
	struct s2s_known *k = s2s_known(in->shard);

	TAILQ_REMOVE(&k->asleep, in, asleep);
	k->n_asleep--;
	k->asleep_bytes -= sleeper_bytes(in);
	shard_timer_cancel(in->shard, &in->timer);
}

static void resume_answer(struct shard *sh, struct s2s_resume *r, bool ok,
	uint32_t n);

/* Nobody goes on with it; it is freed. */
static void
sleeper_end(struct s2s_sm_in *in)
{
	struct s2s_resume *r = in->resume;

	in->resume = NULL;
	if (r != NULL)
		resume_answer(in->shard, r, false, 0);
	moved_gone(in->shard, in->id);
	sleeper_leave(in);
	s2s_sm_in_free(in);
}

static void
on_sleep_end(struct timer *t)
{
	sleeper_end(CONTAINER_OF(t, struct s2s_sm_in, timer));
}

/* The one of that domain that has slept longest, if there are as many as may be. */
static struct s2s_sm_in *
sleeper_of_domain(const struct s2s_known *k, const char *pairs)
{
	struct s2s_sm_in *in, *oldest = NULL;
	size_t n = 0;

	TAILQ_FOREACH (in, &k->asleep, asleep) {
		if (!is_of_same_domain(in->pairs, pairs))
			continue;
		oldest = oldest == NULL ? in : oldest;
		n++;
	}
	return n >= SLEEPERS_OF_DOMAIN ? oldest : NULL;
}

/* For one more. */
static void
sleepers_make_room(struct s2s_known *k, const struct s2s_sm_in *more)
{
	struct s2s_sm_in *in = sleeper_of_domain(k, more->pairs);

	if (in != NULL)
		sleeper_end(in);
	while ((in = TAILQ_FIRST(&k->asleep)) != NULL &&
		(k->n_asleep >= SLEEPERS_MAX ||
			k->asleep_bytes + sleeper_bytes(more) >
				SLEEPERS_BYTES))
		sleeper_end(in);
}

/* pairs are taken. */
static void
sleeper_begin(struct s2s_sm_in *in, char *pairs)
{
	struct s2s_known *k = s2s_known(in->shard);

	in->x = NULL;
	in->pairs = pairs;
	sleepers_make_room(k, in);
	memuse_add_part(MEMUSE_STREAM, pairs);
	TAILQ_INSERT_TAIL(&k->asleep, in, asleep);
	k->n_asleep++;
	k->asleep_bytes += sleeper_bytes(in);
	shard_timer(in->shard, &in->timer, SLEEP_US, on_sleep_end);
}

void
s2s_in_sleep(struct s2s_in *c)
{
	struct s2s_sm_in *in = c->counts;

	if (in == NULL || in->id[0] == '\0' || c->pairs.n == 0 ||
		c->x.shard->streams_closed)
		return;
	s2s_in_links_sleep(c);
	c->counts = NULL;
	sleeper_begin(in, pairs_text(c));
}

void
s2s_in_no_resume(struct s2s_in *c)
{
	if (c->counts == NULL || c->counts->id[0] == '\0')
		return;
	moved_gone(c->x.shard, c->counts->id);
	c->counts->id[0] = '\0';
}

void
s2s_in_sleepers_free(struct s2s_known *k)
{
	struct s2s_moved *m;

	while (!TAILQ_EMPTY(&k->asleep)) {
		struct s2s_sm_in *in = TAILQ_FIRST(&k->asleep);

		free(in->resume != NULL ? in->resume->pairs : NULL);
		free(in->resume);
		TAILQ_REMOVE(&k->asleep, in, asleep);
		shard_timer_cancel(in->shard, &in->timer);
		s2s_sm_in_free(in);
	}
	while ((m = LIST_FIRST(&k->moved)) != NULL) {
		LIST_REMOVE(m, in);
		free(m);
	}
}

/* --- asked for ------------------------------------------------------------------------ */

static void
resume_free(struct s2s_resume *r)
{
	free(r->pairs);
	free(r);
}

/* c: the stream that has asked; NULL: it is gone. */
static void
resume_go_on(struct shard *sh, struct s2s_in *c, const struct s2s_resume *r)
{
	struct s2s_sm_in *in = s2s_sm_in_go_on(sh, c != NULL ? &c->x : NULL,
		r->id, r->n);

	in->went.acked = r->h;
	if (c == NULL) {
		sleeper_begin(in, str_dup(str_c(r->pairs)));
		return;
	}
	c->counts = in;
	c->alone = true;
	s2s_in_count_links(c, r->h);
}

static void
resume_fail(struct s2s_in *c)
{
	s2s_sm_fail(&c->x, COND_ITEM_NOT_FOUND);
	s2s_in_links_go_on(c);
}

/* At the shard of the stream that has asked, which may be gone. */
static void
on_resume_answered(struct shard *sh, void *arg)
{
	struct s2s_resume *r = arg;
	struct element el;
	bool found = element_find(&r->later, &el);
	struct s2s_in *c = found ? el.stream : NULL;

	if (sh->streams_closed) {
		resume_free(r);
		return;
	}
	if (c != NULL)
		c->resumes = false;
	if (r->ok)
		resume_go_on(sh, c, r);
	else if (c != NULL && r->too_high)
		s2s_sm_end_too_high(&c->x, r->h, r->n);
	else if (c != NULL)
		resume_fail(c);
	resume_free(r);
	if (found)
		element_go_on(&el);
}

/* r is taken. */
static void
resume_answer(struct shard *sh, struct s2s_resume *r, bool ok, uint32_t n)
{
	r->ok = ok;
	r->n = n;
	place_post(sh->server, r->from, on_resume_answered, r, sizeof(*r));
}

/* What has gone back by it: pairs are told how much of theirs has come. */
static void
sleeper_share_out(struct s2s_sm_in *in, uint32_t h)
{
	uint32_t came[S2S_PAIRS_MAX + 1] = { 0 }, n = 0, i = 1;

	(void)s2s_runs_count(&in->went, h, &n);
	while (n != 0) {
		struct s2s_run run = s2s_runs_take(&in->went, n);

		came[run.whose] += run.n;
		n -= run.n;
	}
	for (const char *at = in->pairs, *local, *end; *at != '\0';
		at = end + 1, i++) {
		end = strchr(at, '\n');
		local = strchr(at, ' ') + 1;
		remote_resumed(in->shard,
			(struct str){ local, (size_t)(end - local) },
			(struct str){ at, (size_t)(local - 1 - at) }, in->id,
			came[i]);
	}
}

void
s2s_in_resume_look(struct s2s_sm_in *in)
{
	struct s2s_resume *r = in->resume;

	if (r == NULL || receipt_line_handled(&in->line) != in->line.received)
		return;
	in->resume = NULL;
	free(r->pairs);
	r->pairs = xstrdup(in->pairs);
	moved_tell(in->shard, in->id, r->from);
	resume_answer(in->shard, r, true, in->line.received);
	sleeper_leave(in);
	sleeper_share_out(in, r->h);
	s2s_sm_in_free(in);
}

/* c does not know yet that its peer has gone (§5).  NULL: it is not r's. */
static struct s2s_sm_in *
resume_awake(struct s2s_in *c, const struct s2s_resume *r)
{
	struct s2s_sm_in *in = c->counts;
	char *pairs = pairs_text(c);
	bool covers = pairs_cover(r->pairs, pairs);

	free(pairs);
	if (!covers)
		return NULL;
	s2s_in_sleep(c);
	if (c->counts != NULL)
		return NULL;
	stream_end(&c->x, STREAM_CONFLICT, "Resumed by a new connection");
	return in;
}

/* Whose domains have all been shown by who asks.  NULL: there is none. */
static struct s2s_sm_in *
resume_find(struct s2s_known *k, const struct s2s_resume *r)
{
	struct s2s_sm_in *in;
	struct s2s_in *c;

	TAILQ_FOREACH (in, &k->asleep, asleep)
		if (strcmp(in->id, r->id) == 0)
			return pairs_cover(r->pairs, in->pairs) ? in : NULL;
	LIST_FOREACH (c, &k->streams, near)
		if (c->counts != NULL && strcmp(c->counts->id, r->id) == 0 &&
			c->x.stage != STAGE_CLOSED)
			return resume_awake(c, r);
	return NULL;
}

/* Where it may be. */
static void
on_resume_asked(struct shard *sh, void *arg)
{
	struct s2s_resume *r = arg;
	struct s2s_known *k = s2s_known(sh);
	const struct s2s_moved *m = k != NULL ? moved_find(k, r->id) : NULL;
	struct s2s_sm_in *in;
	uint32_t n;

	if (m != NULL) {
		place_post(sh->server, m->at, on_resume_asked, r, sizeof(*r));
		return;
	}
	in = k != NULL && !sh->streams_closed ? resume_find(k, r) : NULL;
	if (in == NULL) {
		resume_answer(sh, r, false, 0);
		return;
	}
	if (!s2s_runs_count(&in->went, r->h, &n)) {
		r->too_high = true;
		resume_answer(sh, r, false, in->went.acked + in->went.wrote);
		return;
	}
	if (in->resume != NULL) /* a later one has come */
		resume_answer(sh, in->resume, false, 0);
	in->resume = r;
	s2s_in_resume_look(in);
}

static void
resume_ask(struct s2s_in *c, struct element *el, struct place home, uint32_t h)
{
	struct s2s_resume *r = xcalloc(1, sizeof(*r));
	struct str id = elem_attr(el->e, "previd");

	s2s_in_links_wait(c);
	r->later = element_keep(el);
	r->h = h;
	r->from = place_of_shard(c->x.shard);
	memcpy(r->id, id.p, id.n);
	r->pairs = pairs_text(c);
	place_post(c->x.shard->server, home, on_resume_asked, r, sizeof(*r));
}

enum hook_result
s2s_in_on_sm_resume(struct module_ctx *m, struct element *el)
{
	struct s2s_in *c = el->stream;
	struct place home;
	uint32_t h;

	(void)m;
	if (c->x.stage != STAGE_BOUND || c->counts != NULL)
		s2s_sm_fail(&c->x, COND_UNEXPECTED_REQUEST);
	else if (!s2s_sm_get_h(el->e, &h))
		s2s_sm_fail(&c->x, COND_BAD_REQUEST);
	else if (!id_home(c->x.shard, elem_attr(el->e, "previd"), &home))
		s2s_sm_fail(&c->x, COND_ITEM_NOT_FOUND);
	else
		resume_ask(c, el, home, h);
	return HOOK_HANDLED;
}
