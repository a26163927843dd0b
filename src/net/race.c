/*
 * race.c - several attempts to connect, of which the first that succeeds counts.
 *
 *	          250 ms, or failed        250 ms, or failed
 *	attempt 0 ----------------> attempt 1 ----------------> ...
 *	    '---------- connected -----------'----> told, the others are closed
 *
 * Owner shard.  Invariant: attempts below n_begun have been made; those with a
 * descriptor are under way.
 */
#include "config.h"

#include "net/race.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "net/net.h"

struct attempt {
	struct race *race;
	struct sockaddr_storage address;
	int fd; /* -1: not under way */
	struct event *event;
};

struct race {
	struct event_base *base;
	struct event *step; /* the next one begins */
	struct event *end;  /* the time is over */
	race_fn fn;
	void *arg;
	struct err err; /* of the last that has failed */
	size_t n, n_begun, n_running;
	struct attempt attempts[];
};

static struct timeval
time_of(int64_t us)
{
	return (struct timeval){ us / US_PER_S, us % US_PER_S };
}

static void
attempt_stop(struct attempt *a)
{
	if (a->event != NULL)
		event_free(a->event);
	if (a->fd != -1) {
		close(a->fd);
		a->race->n_running--;
	}
	a->event = NULL;
	a->fd = -1;
}

void
race_cancel(struct race *r)
{
	for (size_t i = 0; i < r->n_begun; i++)
		attempt_stop(&r->attempts[i]);
	event_free(r->step);
	event_free(r->end);
	free(r);
}

static void
race_finish(struct race *r, int fd, size_t which)
{
	race_fn fn = r->fn;
	void *arg = r->arg;
	struct err err = r->err;

	race_cancel(r);
	fn(arg, fd, which, fd == -1 ? &err : NULL);
}

static void
race_step_in(struct race *r, int64_t us)
{
	struct timeval in = time_of(us);

	if (r->n_begun < r->n)
		event_add(r->step, &in);
}

/* The next one begins at once; or there is none. */
static void
attempt_fail(struct attempt *a, int reason)
{
	struct race *r = a->race;

	attempt_stop(a);
	errno = reason;
	err_errno(&r->err, "cannot be reached");
	if (r->n_begun < r->n)
		race_step_in(r, 0);
	else if (r->n_running == 0)
		race_finish(r, -1, 0);
}

static void
on_attempt(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *a = arg;
	struct race *r = a->race;
	int reason = 0;
	socklen_t n = sizeof(reason);

	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &n) == -1)
		reason = errno;
	if (reason != 0) {
		attempt_fail(a, reason);
		return;
	}
	/* it is not ours any more */
	a->fd = -1;
	r->n_running--;
	race_finish(r, fd, (size_t)(a - r->attempts));
}

static void
attempt_begin(struct attempt *a)
{
	socklen_t n = a->address.ss_family == AF_INET6 ?
		sizeof(struct sockaddr_in6) :
		sizeof(struct sockaddr_in);

	a->fd = socket(a->address.ss_family,
		SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->fd == -1) {
		attempt_fail(a, errno);
		return;
	}
	a->race->n_running++;
	if (connect(a->fd, (const struct sockaddr *)&a->address, n) == -1 &&
		errno != EINPROGRESS) {
		attempt_fail(a, errno);
		return;
	}
	/* connected at once is writable at once */
	a->event = event_new(a->race->base, a->fd, EV_WRITE, on_attempt, a);
	event_add(a->event, NULL);
}

static void
on_step(evutil_socket_t fd, short what, void *arg)
{
	struct race *r = arg;
	struct attempt *a = &r->attempts[r->n_begun++];

	(void)fd;
	(void)what;
	race_step_in(r, RACE_STEP_US);
	attempt_begin(a); /* the race may end in it */
}

static void
on_end(evutil_socket_t fd, short what, void *arg)
{
	struct race *r = arg;

	(void)fd;
	(void)what;
	err_set(&r->err, ERR_TIMEOUT, "no answer");
	race_finish(r, -1, 0);
}

struct race *
race_start(struct net *net, const struct sockaddr_storage *list, size_t n,
	int64_t timeout_us, race_fn fn, void *arg)
{
	struct timeval now = time_of(0), end = time_of(n != 0 ? timeout_us : 0);
	struct race *r;

	n = MIN(n, RACE_MAX);
	r = xcalloc(1, sizeof(*r) + n * sizeof(r->attempts[0]));
	r->base = net_base(net);
	r->fn = fn;
	r->arg = arg;
	r->n = n;
	for (size_t i = 0; i < n; i++)
		r->attempts[i] = (struct attempt){ r, list[i], -1, NULL };
	r->step = event_new(r->base, -1, 0, on_step, r);
	r->end = event_new(r->base, -1, 0, on_end, r);
	if (n != 0)
		event_add(r->step, &now);
	event_add(r->end, &end);
	return r;
}
