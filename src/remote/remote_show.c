/*
 * remote_show.c - what an administrator sees of a domain of others, and attempts
 * that he asks for.
 *
 * The shard of the remote.
 */
#include "config.h"

#include "remote/remote_int.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "core/entity_message.h"

/* Of one attempt, in all; and what one step says. */
#define STEPS_MAX 4096
#define FOUND_SIZE 640

/* --- steps ------------------------------------------------------------------- */

void
remote_step(struct remote_pair *p, const char *step, const char *state,
	const char *fmt, ...)
{
	char found[FOUND_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(found, sizeof(found), fmt, ap);
	va_end(ap);
	/* what others have said does not begin a line */
	for (char *at = found; *at != '\0'; at++)
		if (iscntrl((unsigned char)*at))
			*at = ' ';
	if (p->steps.n + sizeof(found) < STEPS_MAX)
		buf_printf(&p->steps, "%s\t%s\t%s\n", step, state, found);
}

void
remote_steps_begin(struct remote_pair *p)
{
	p->steps_kept = p->steps.n;
}

void
steps_forget(struct remote_pair *p)
{
	p->steps.n = p->steps_kept = 0;
}

/* A link may stay for days, and there are many, so that nothing of it is spare.  What
 * the DNS has said nobody else knows. */
void
steps_shrink(struct remote_pair *p)
{
	struct str kept = { p->steps.p, p->steps_kept };
	struct buf b = BUF_INIT;

	if (kept.n != 0) {
		b.p = str_dup(kept);
		b.n = b.cap = kept.n;
	}
	buf_done(&p->steps);
	p->steps = b;
}

void
remote_steps(const struct remote_shown *shown, struct buf *out)
{
	struct remote_pair *p = shown->pair;
	struct buf kept = p->steps;

	/* noted as ever, but for us alone */
	p->steps = (struct buf)BUF_INIT;
	if (p->link != NULL && p->offer == NULL)
		pair_shard(p)->server->remote_streams->tell(p->link->stream, p);
	buf_add_str(out, buf_str(&kept));
	buf_add_str(out, buf_str(&p->steps));
	buf_done(&p->steps);
	p->steps = kept;
}

/* --- what there is ------------------------------------------------------------- */

static enum remote_state
pair_state(const struct remote_pair *p)
{
	if (p->link != NULL)
		return p->ending ? REMOTE_ENDS : REMOTE_UP;
	if (p->attempt != NULL)
		return REMOTE_COMES_UP;
	if (p->in_line)
		return REMOTE_IN_LINE;
	return p->busy ? REMOTE_PAUSES : REMOTE_FAILED;
}

/* What was, or will be, at us of the monotonic clock. */
static int64_t
pair_wall_us(const struct remote_pair *p, int64_t us)
{
	return shard_wall_us(pair_shard(p)) - pair_shard(p)->now_us + us;
}

static const char *
pair_waits_for(const struct remote_pair *p)
{
	return p->attempt != NULL ?
		pair_shard(p)->server->remote_streams->waits_for(p->attempt) :
		NULL;
}

static void
pair_show(struct remote_pair *p, remote_show_fn fn, void *arg)
{
	const struct link *l = p->link;
	int64_t next_us = MAX(pause_until_us(p), p->theirs_us);
	size_t bytes = 0;
	size_t n = p->kept != NULL ? link_kept_size(p->kept, &bytes) : 0;
	struct remote_shown shown = {
		.domain = remote_pair_domain(p),
		.local = pair_local(p),
		.state = pair_state(p),
		.link = l,
		.n_waiting = n + p->n_waiting + (l != NULL ? l->n_waiting : 0),
		.bytes = bytes + p->bytes + (l != NULL ? l->bytes : 0),
		.waits_for = pair_waits_for(p),
		.pair = p,
	};

	if (l != NULL)
		shown.since_us = l->since_us;
	else if (p->started_us != 0)
		shown.since_us = pair_wall_us(p, p->started_us);
	last_show(p, shown.kept, sizeof(shown.kept));
	if (p->link == NULL && p->attempt == NULL &&
		next_us > pair_shard(p)->now_us)
		shown.next_us = pair_wall_us(p, next_us);
	fn(arg, &shown);
}

struct remote *
remote_find(struct shard *sh, struct str domain)
{
	struct entity *e = entity_find(sh, domain);

	return e != NULL && e->class == &remote_class &&
			e->state == ENTITY_LOADED ?
		(struct remote *)(void *)e :
		NULL;
}

static void
remote_show_all(const struct remote *r, remote_show_fn fn, void *arg)
{
	struct remote_pair *p;

	LIST_FOREACH (p, &r->pairs, in)
		pair_show(p, fn, arg);
}

void
remote_show(struct shard *sh, struct str domain, remote_show_fn fn, void *arg)
{
	const struct remote *r = remote_find(sh, domain);

	if (r != NULL)
		remote_show_all(r, fn, arg);
}

/* By serial, so that what comes or goes in between is nobody's trouble. */
bool
remotes_show(struct shard *sh, uint64_t *at_io, size_t most, remote_show_fn fn,
	void *arg)
{
	const struct remote *r;

	if (sh->remotes == NULL)
		return false;
	LIST_FOREACH (r, &sh->remotes->all, in) {
		if (*at_io != 0 && r->serial >= *at_io)
			continue;
		if (most-- == 0)
			return true;
		*at_io = r->serial;
		remote_show_all(r, fn, arg);
	}
	return false;
}

const struct remote_failure *
remote_failures(struct shard *sh, struct str domain, size_t *n_out)
{
	const struct remote *r = remote_find(sh, domain);

	*n_out = r != NULL && r->failures != NULL ? r->failures->n : 0;
	return *n_out != 0 ? r->failures->all : NULL;
}

/* --- attempts ------------------------------------------------------------------ */

void
try_answer(struct remote_pair *p, enum err_code code, const char *why)
{
	struct entity_message *m = p->tried;

	p->tried = NULL;
	if (m == NULL)
		return;
	if (code == ERR_NONE)
		entity_answer(m, NULL);
	else
		entity_refuse(m, code, why);
}

void
try_told(struct remote *r, struct entity_message *m)
{
	struct remote_pair *p;
	const char *why;

	if (r->closed != STREAM_COND_NONE) {
		entity_refuse(m, ERR_CLOSED, "the server stops");
	} else if (remote_judge(r, m->resource, &why) != COND_NONE) {
		entity_refuse(m, ERR_REFUSED, why);
	} else if ((p = pair_get(r, m->resource)) == NULL) {
		entity_refuse(m, ERR_LIMIT,
			"the server talks to too many others already");
	} else if (p->tried != NULL) {
		entity_refuse(m, ERR_BUSY, "it is being tried already");
	} else {
		p->tried = m;
		if (p->link != NULL && !p->ending)
			try_answer(p, ERR_NONE, NULL);
		else
			pair_needs_link(p);
		pair_go_on(p);
	}
}
