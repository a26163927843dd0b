/*
 * remote_failure.c - why a domain of others could not be reached, the last times.
 *
 * The shard of the remote.  What is told already is counted, and not told again
 * until there was a link.
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

/* The one that is told already, wherever it stands: what there is to try comes in
 * another order each time, and so may the reasons.  local: whose it is; STR_NONE: of
 * all. */
static struct remote_failure *
failure_find(const struct remote *r, struct str local, const char *why)
{
	struct remote_failures *all = r->failures;

	for (size_t i = 0; all != NULL && i < all->n; i++) {
		struct remote_failure *f = &all->all[i];

		if (f->told && (local.p == NULL || str_is(local, f->local)) &&
			strcmp(f->why, why) == 0)
			return f;
	}
	return NULL;
}

/* f, of those of r, becomes the newest; so does what it returns. */
static struct remote_failure *
failure_raise(struct remote *r, struct remote_failure *f)
{
	struct remote_failure *first = &r->failures->all[0];
	struct remote_failure raised = *f;

	memmove(first + 1, first, (size_t)(f - first) * sizeof(*f));
	*first = raised;
	return first;
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
	if (log_limit_ok(&pair_shard(p)->remotes->told, LOG_ROUTER))
		log_warn(LOG_ROUTER, entity_who(&p->remote->e),
			"cannot be reached from=%.*s reason=\"%s\"",
			STR_ARG(pair_local(p)), why);
}

void
failure_note(struct remote_pair *p, enum remote_failed what, const char *why)
{
	struct remote *r = p->remote;
	int64_t wall_us = shard_wall_us(pair_shard(p));
	struct remote_failure *f;
	char text[REMOTE_WHY_SIZE];

	snprintf(text, sizeof(text), "%s", why);
	r->failed_us = pair_shard(p)->now_us;
	if (p->link == NULL)
		watch_unreached(r);
	f = failure_find(r,
		failed_is_of_pair(what) ? pair_local(p) : STR_NONE, text);
	if (f != NULL) {
		f = failure_raise(r, f);
		f->times++;
		f->last_us = wall_us;
		return;
	}
	f = failure_push(r);
	*f = (struct remote_failure){
		.first_us = wall_us,
		.last_us = wall_us,
		.times = 1,
		.told = true,
		.local = str_dup(pair_local(p)),
		.why = xstrdup(text),
	};
	failure_tell(p, text);
}

void
failure_over(struct remote_pair *p)
{
	struct remote *r = p->remote;
	struct remote_failures *all = r->failures;
	bool told = false;

	for (size_t i = 0; all != NULL && i < all->n; i++) {
		told = told || all->all[i].told;
		all->all[i].told = false;
	}
	if (told && log_limit_ok(&pair_shard(p)->remotes->told, LOG_ROUTER))
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
