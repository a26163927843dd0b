/*
 * bench_return.c - all clients of a server come back at once, as they do when
 * it was restarted, or when a network was away.
 *
 * They log in, then the command restarts the server while the loop turns (its
 * first line of output names the new processes), or, without one, all
 * connections are reset.  What the server has to do about that is over before
 * the measure begins: the way back, as fast as --window allows.
 *
 * With --sm they resume their sessions (XEP-0198 §5) where the server still has
 * them, which "sessions" counts, and log in anew where it has not.
 *
 * Two durations are told: "login", from a client's own connection until it is
 * ready; and "ready", from the moment at which all wanted to be back.
 */
#include "config.h"

#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

struct comeback {
	int64_t start_us;
	unsigned resumed;
	struct hist login, ready;
};

static void
return_ready(struct client *c)
{
	struct bench *b = c->b;
	struct comeback *r = b->data;

	hist_add(&r->login, b->now_us - c->started_us);
	hist_add(&r->ready, b->now_us - r->start_us);
	if (c->ssl != NULL && SSL_session_reused(c->ssl))
		r->resumed++;
}

/* --- the server goes away -------------------------------------------------------- */

/* The first line that the command prints, while the clients lose their
 * connections; false when it prints none. */
static bool
return_first_line(struct bench *b, int fd, char *line, size_t room)
{
	size_t n = 0;
	ssize_t got = 1;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (got != 0 && n < room - 1 && memchr(line, '\n', n) == NULL) {
		bench_turn(b, 50);
		got = read(fd, line + n, room - 1 - n);
		if (got == -1 && errno != EAGAIN)
			break;
		if (got > 0)
			n += (size_t)got;
	}
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return n > 0;
}

static bool
return_command(struct bench *b)
{
	char line[256];
	FILE *f = popen(b->conf->command, "re");
	bool named;

	if (f == NULL) {
		bench_error(b, "%s: %s", b->conf->command, strerror(errno));
		return false;
	}
	named = return_first_line(b, fileno(f), line, sizeof(line));
	if (pclose(f) != 0) {
		bench_error(b, "%s: failed", b->conf->command);
		return false;
	}
	if (named && !pids_parse(b->conf, line)) {
		bench_error(b, "%s: printed no processes but %s",
			b->conf->command, line);
		return false;
	}
	return true;
}

/* All are away, for which nobody is to blame. */
static bool
return_leave(struct bench *b)
{
	bool ok = true;

	b->forgiving = true;
	if (b->conf->command != NULL)
		ok = return_command(b);
	for (unsigned i = 0; i < b->conf->clients; i++)
		client_reset(&b->clients[i]);
	b->forgiving = false;
	return ok;
}

/* All that a server has used that was started meanwhile: also before, to find its
 * sessions, and behind, to tell everybody. */
static void
return_cpu(struct bench *b)
{
	struct usage now;

	if (b->conf->command == NULL || b->conf->n_pids == 0)
		return;
	usage_now(b, &now);
	result_add(b, "server_cpu_seconds", "%.2f",
		(double)now.cpu_us / US_PER_S);
}

/* --- and is back ------------------------------------------------------------------ */

static bool
return_come(struct bench *b, struct comeback *r)
{
	struct usage start;
	bool ok;

	b->on_ready = return_ready;
	usage_begin(b, &start);
	r->start_us = start.wall_us;
	ok = bench_login(b, 0, b->conf->clients);
	usage_result(b, &start, b->ready);
	usage_settle(b);
	return_cpu(b);
	return ok;
}

bool
mode_return(struct bench *b)
{
	struct comeback *r = xcalloc(1, sizeof(*r));
	bool ok;

	b->data = r;
	b->keep_sessions = b->conf->sm;
	ok = bench_login(b, 0, b->conf->clients);
	usage_settle(b);
	ok = ok && return_leave(b) && return_come(b, r);
	hist_result(b, "login", &r->login);
	hist_result(b, "ready", &r->ready);
	result_add(b, "resumed", "%u", r->resumed);
	result_add(b, "sessions", "%u", b->resumed);
	free(r);
	return ok;
}
