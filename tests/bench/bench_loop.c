/*
 * bench_loop.c - the clients of a run, and the loop that turns until the run
 * has what it waits for.
 */
#include "config.h"

#include "bench.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define EVENTS_MAX 512

/* The server has sent a ticket; the reference is ours. */
static int
on_tls_session(SSL *ssl, SSL_SESSION *session)
{
	struct client *c = SSL_get_app_data(ssl);

	SSL_SESSION_free(c->session);
	c->session = session;
	return 1;
}

static SSL_CTX *
bench_tls_context(const struct bench_conf *conf)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	if (tls == NULL) {
		fprintf(stderr, "antiphon-bench: OpenSSL does not work\n");
		exit(1);
	}
	/* the generator measures, it does not doubt */
	SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS |
		SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* half as many calls: a record's head and its body come in one */
	SSL_CTX_set_read_ahead(tls, 1);
	SSL_CTX_set_session_cache_mode(tls, conf->resume ?
		SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL :
		SSL_SESS_CACHE_OFF);
	SSL_CTX_sess_set_new_cb(tls, on_tls_session);
	return tls;
}

void
bench_init(struct bench *b, struct bench_conf *conf)
{
	memset(b, 0, sizeof(*b));
	b->conf = conf;
	b->epoll = epoll_create1(EPOLL_CLOEXEC);
	b->timer = -1;
	if (conf->floor)
		b->echo = ECHO_YES; /* there is nothing to find out */
	b->tls = bench_tls_context(conf);
	b->xml = xml_pool_new();
	b->scratch = xmalloc(SCRATCH_BYTES);
	b->body = xmalloc(conf->bytes + 1);
	memset(b->body, 'x', conf->bytes);
	b->body[conf->bytes] = '\0';
	b->random = conf->seed * UINT64_C(2) + 1;
	b->now_us = b->progress_us = clock_mono_us(&clock_system);
	b->n_clients = conf->clients * (1 + conf->devices);
	b->clients = xcalloc(b->n_clients, sizeof(*b->clients));
	for (unsigned i = 0; i < b->n_clients; i++) {
		b->clients[i].b = b;
		b->clients[i].index = i;
		b->clients[i].account = conf->first + i % conf->clients;
		b->clients[i].fd = -1;
	}
}

void
bench_done(struct bench *b)
{
	for (unsigned i = 0; i < b->n_clients; i++)
		client_free(&b->clients[i]);
	free(b->clients);
	free(b->scratch);
	free(b->body);
	xml_pool_free(b->xml);
	SSL_CTX_free(b->tls);
	bench_tick(b, 0);
	close(b->epoll);
	buf_done(&b->scram.salt);
	buf_done(&b->results);
}

/* What the clients have said in this turn leaves together. */
static void
bench_flush(struct bench *b)
{
	struct client *c;

	while ((c = b->dirty) != NULL) {
		b->dirty = c->next_dirty;
		c->dirty = false;
		client_flush(c);
	}
}

static void
bench_event(struct bench *b, struct epoll_event *ev)
{
	uint64_t times;

	if (ev->data.ptr != b)
		client_event(ev->data.ptr, ev->events);
	else if (read(b->timer, &times, sizeof(times)) > 0)
		b->on_timer(b);
}

void
bench_turn(struct bench *b, int ms)
{
	struct epoll_event events[EVENTS_MAX];
	int n;

	bench_flush(b);
	n = epoll_wait(b->epoll, events, EVENTS_MAX, ms);
	b->now_us = clock_mono_us(&clock_system);
	for (int i = 0; i < n; i++)
		bench_event(b, &events[i]);
	bench_flush(b);
}

void
bench_tick(struct bench *b, int64_t period_us)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = b };
	struct timespec period = { .tv_sec = period_us / US_PER_S,
		.tv_nsec = period_us % US_PER_S * 1000 };
	struct itimerspec times = { period, period };

	if (b->timer != -1)
		close(b->timer);
	b->timer = -1;
	if (period_us == 0)
		return;
	b->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	timerfd_settime(b->timer, 0, &times, NULL);
	epoll_ctl(b->epoll, EPOLL_CTL_ADD, b->timer, &ev);
}

void
bench_progress(struct bench *b)
{
	b->progress_us = b->now_us;
}

bool
bench_wait(struct bench *b, bool (*done)(struct bench *b))
{
	bench_progress(b);
	while (!done(b)) {
		bench_turn(b, 100);
		if (b->now_us - b->progress_us >
			b->conf->patience * US_PER_S) {
			bench_error(b, "nothing moves any more");
			return false;
		}
	}
	return true;
}

void
bench_error(struct bench *b, const char *fmt, ...)
{
	va_list ap;

	if (b->forgiving)
		return;
	b->errors++;
	if (b->errors > 20 && !b->conf->verbose)
		return;
	fputs("antiphon-bench: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* xorshift64: a run can be repeated from its seed. */
unsigned
bench_random(struct bench *b, unsigned below)
{
	b->random ^= b->random << 13;
	b->random ^= b->random >> 7;
	b->random ^= b->random << 17;
	return (unsigned)((b->random >> 32) * below >> 32);
}

unsigned
bench_warm(const struct bench *b, unsigned count)
{
	return (unsigned)(((uint64_t)count * b->conf->warm + 99) / 100);
}

static bool
login_is_over(struct bench *b)
{
	return b->starting == 0;
}

static unsigned
login_window(const struct bench *b)
{
	return b->echo == ECHO_UNKNOWN && !b->bind_only ? 1 :
		b->conf->window;
}

/* The very first one has failed; the others would fail like it. */
static bool
login_is_hopeless(const struct bench *b)
{
	return b->echo == ECHO_UNKNOWN && !b->bind_only && b->starting == 0 &&
		b->errors > 0;
}

bool
bench_login(struct bench *b, unsigned first, unsigned n)
{
	unsigned next = first;

	bench_progress(b);
	while (next < first + n) {
		while (next < first + n && b->starting < login_window(b))
			client_start(&b->clients[next++]);
		bench_turn(b, 100);
		if (login_is_hopeless(b))
			return false;
		if (b->now_us - b->progress_us >
			b->conf->patience * US_PER_S)
			break;
	}
	if (!bench_wait(b, login_is_over))
		return false;
	for (unsigned i = first; i < first + n; i++)
		if (b->clients[i].state != CLIENT_READY)
			return false;
	return true;
}

static bool
logout_is_over(struct bench *b)
{
	return b->starting == 0 && b->ready == 0 && b->closing == 0;
}

bool
bench_logout(struct bench *b)
{
	for (unsigned i = 0; i < b->n_clients; i++)
		if (b->clients[i].state != CLIENT_OFF)
			client_close(&b->clients[i]);
	return bench_wait(b, logout_is_over);
}
