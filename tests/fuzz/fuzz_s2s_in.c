/*
 * fuzz_s2s_in.c - any bytes into a stream that another server has opened: nothing
 * breaks, nothing is left, and nobody is in whose domain does not know its key.
 *
 * The first byte of the input chooses: 1: TLS is up; 2: a pair stands already; the
 * rest, into how large pieces the input is cut.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/conn.h"
#include "conf/listen_kind.h"
#include "core/server.h"
#include "core/shard.h"
#include "remote/remote.h"
#include "stream/server/s2s_in.h"
#include "fuzz.h"
#include "fuzz_server.h"

#define SECURE 1
#define BOUND 2

#define CONF                                                                   \
	"shards: 2\nfederation: on\n"                                          \
	"hosts: { a.example: {} }\n"                                           \
	"components: { c.example: { secret: s, subdomains: yes } }"
#define HEADER                                                                 \
	"<stream:stream xmlns='jabber:server' version='1.0' to='a.example' "   \
	"from='b.example' xmlns:db='jabber:server:dialback' "                  \
	"xmlns:stream='http://etherx.jabber.org/streams'>"
#define GOOD_KEY "good"
#define RESULT                                                                 \
	"<db:result from='b.example' to='a.example'>" GOOD_KEY "</db:result>"

/* --- domains that know one key, and are never reached ---------------------------- */

static void
on_answer(struct shard *sh, void *arg)
{
	struct remote_verify *v = arg;

	(void)sh;
	remote_verified(v,
		str_is(v->key, GOOD_KEY) ? ERR_NONE : ERR_INVALID, NULL);
}

static void *
on_start(struct remote_pair *p)
{
	return p;
}

static void
on_cancel(void *attempt)
{
	(void)attempt;
}

static void
on_verify(void *attempt, struct remote_verify *v)
{
	struct shard *sh = remote_pair_shard(attempt);

	shard_post(sh, on_answer, v, 0);
}

static bool
on_has_shown(void *attempt)
{
	(void)attempt;
	return false;
}

static const char *
on_waits_for(void *attempt)
{
	(void)attempt;
	return NULL;
}

static enum remote_failed
on_late(void *attempt)
{
	(void)attempt;
	return REMOTE_OF_PAIR;
}

static void
on_tell(void *stream, struct remote_pair *p)
{
	(void)stream;
	(void)p;
}

static const struct remote_streams streams = { on_start, on_cancel, on_verify,
	on_has_shown, on_waits_for, on_late, on_tell };

/* --- streams ---------------------------------------------------------------------- */

static void
say(struct fuzz *f, const char *text)
{
	fuzz_feed(f, text, strlen(text), strlen(text));
}

static void
pair_up(struct fuzz *f)
{
	say(f, HEADER);
	FUZZ_CHECK(strstr(buf_c(&f->got), "<errors/>") != NULL);
	say(f, RESULT);
	fuzz_settle(f);
	FUZZ_CHECK(strstr(buf_c(&f->got), "type='valid'") != NULL);
}

static uint64_t
logins(const struct fuzz *f)
{
	return f->server->shards[0]->stats.logins +
		f->server->shards[1]->stats.logins;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t choice = n > 0 ? data[0] : 0;
	struct fuzz f = { .conn = NULL };
	struct conn *conn;

	/* none are of any use here, and to read the system's takes long */
	setenv("SSL_CERT_FILE", "/nonexistent", 1);
	setenv("SSL_CERT_DIR", "/nonexistent", 1);
	fuzz_start(&f, CONF);
	f.server->remote_streams = &streams;
	conn = fuzz_connect(&f);
	if ((choice & (SECURE | BOUND)) != 0)
		conn_mem_secure(conn);
	s2s_in_kinds[0].accept_raw(f.server->shards[0],
		&(struct listen_arrival){ .conn = conn,
			.since_us = clock_mono_us(f.server->clock) });
	if ((choice & BOUND) != 0)
		pair_up(&f);
	if (n > 1)
		fuzz_feed(&f, (const char *)data + 1, n - 1,
			(choice >> 2) == 0 ? n : (size_t)(choice >> 2) * 4);
	if ((choice & BOUND) == 0 && memmem(data, n, GOOD_KEY,
					     strlen(GOOD_KEY)) == NULL)
		FUZZ_CHECK(logins(&f) == 0);
	fuzz_stop(&f);
	return 0;
}
