/*
 * remote_failure.c - why a domain of others could not be reached, the last times.
 *
 * The shard of the remote.  What is as the one before is counted, and not told
 * again until there was a link.
 */
#include "config.h"

#include "remote/remote_int.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static void
failure_free(struct remote_failure *f)
{
	free(f->local);
	free(f->why);
}

static bool
failure_is(const struct remote_failure *f, const struct remote_pair *p,
	const char *why)
{
	return str_is(pair_local(p), f->local) && strcmp(f->why, why) == 0;
}

/* The newest stands first. */
static struct remote_failure *
failure_push(struct remote *r)
{
	struct remote_failures *all = r->failures;

	if (all == NULL)
		all = r->failures = xcalloc(1, sizeof(*all));
	if (all->n == REMOTE_FAILURES)
		failure_free(&all->all[--all->n]);
	memmove(all->all + 1, all->all, all->n * sizeof(all->all[0]));
	all->n++;
	return &all->all[0];
}

static void
failure_tell(struct remote_pair *p, const char *why)
{
	p->remote->told_down = true;
	if (log_limit_ok(&pair_shard(p)->remotes->told, LOG_ROUTER))
		log_warn(LOG_ROUTER, entity_who(&p->remote->e),
			"cannot be reached from=%.*s reason=\"%s\"",
			STR_ARG(pair_local(p)), why);
}

void
failure_note(struct remote_pair *p, const char *why)
{
	struct remote *r = p->remote;
	int64_t wall_us = shard_wall_us(pair_shard(p));
	struct remote_failure *f =
		r->failures != NULL ? &r->failures->all[0] : NULL;
	char text[REMOTE_WHY_SIZE];

	snprintf(text, sizeof(text), "%s", why);
	r->failed_us = pair_shard(p)->now_us;
	if (f != NULL && r->told_down && failure_is(f, p, text)) {
		f->times++;
		f->last_us = wall_us;
		return;
	}
	f = failure_push(r);
	*f = (struct remote_failure){
		.first_us = wall_us,
		.last_us = wall_us,
		.times = 1,
		.local = str_dup(pair_local(p)),
		.why = xstrdup(text),
	};
	failure_tell(p, text);
}

void
failure_over(struct remote_pair *p)
{
	struct remote *r = p->remote;

	if (!r->told_down)
		return;
	r->told_down = false;
	if (log_limit_ok(&pair_shard(p)->remotes->told, LOG_ROUTER))
		log_info(LOG_ROUTER, entity_who(&r->e),
			"can be reached again from=%.*s",
			STR_ARG(pair_local(p)));
}

void
failures_free(struct remote *r)
{
	for (size_t i = 0; r->failures != NULL && i < r->failures->n; i++)
		failure_free(&r->failures->all[i]);
	free(r->failures);
}
