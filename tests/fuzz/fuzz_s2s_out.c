/*
 * fuzz_s2s_out.c - any bytes from the server to which we have opened a stream: nothing
 * breaks, nothing is left, it is nobody's stanza, and ours are not written in the
 * clear.
 *
 * The first byte of the input chooses how far the stream has come: in its lowest two
 * bits, 0: our header is out; 1: TLS is up; 2: we have shown our key; 3: it is a link;
 * the rest, into how large pieces the input is cut.
 */
#include "config.h"

#include <stdio.h>

#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "core/router.h"
#include "core/server.h"
#include "core/shard.h"
#include "remote/remote.h"
#include "stream/server/s2s_out.h"
#include "fuzz.h"
#include "fuzz_server.h"

#define STEP 3

#define CONF                                                                   \
	"shards: 1\nfederation: { mode: on }\nhosts: { a.example: {} }"
#define HEADER(id)                                                             \
	"<stream:stream xmlns='jabber:server' "                                \
	"xmlns:stream='http://etherx.jabber.org/streams' "                     \
	"xmlns:db='jabber:server:dialback' id='" id "' from='b.example' "      \
	"to='a.example' version='1.0'>"
#define FEATURES(what) "<stream:features>" what "</stream:features>"

static const char *const steps[STEP] = {
	HEADER("1") FEATURES("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
	"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
	HEADER("2") FEATURES("<sm xmlns='urn:xmpp:sm:3'/>"),
	"<db:result from='b.example' to='a.example' type='valid'/>",
};

static struct fuzz *the_fuzz; /* that the server reaches nobody else by */

static struct conn *
on_reach(struct server *srv, struct shard *sh, const char *domain)
{
	struct fuzz *f = the_fuzz;

	(void)srv;
	(void)sh;
	(void)domain;
	return f->conn == NULL && f->got.n == 0 ? fuzz_connect(f) : NULL;
}

static void
on_verified(void *arg, bool ok, const struct err *err)
{
	(void)ok;
	(void)err;
	++*(unsigned *)arg;
}

static void
begin(struct fuzz *f, unsigned *answers)
{
	struct shard *sh = f->server->shards[0];
	struct stanza *st = stanza_new(MESSAGE_CHAT,
		jid_trusted(STR("a.example")), jid_trusted(STR("b.example")),
		STR_NONE);

	the_fuzz = f;
	f->server->reach = on_reach;
	f->server->remote_streams = &s2s_streams;
	router_send(sh, st);
	remote_verify_ask(sh, STR("a.example"), STR("b.example"),
		STR("an address"), STR("q"), STR("key"), false, on_verified,
		answers);
	fuzz_settle(f);
	FUZZ_CHECK(f->conn != NULL);
}

/* Our stanzas stand behind the second header, that under TLS. */
static void
check_written(struct fuzz *f)
{
	const char *text = buf_c(&f->got);
	const char *stanza = strstr(text, "<message");
	const char *header = strstr(text, "<stream:stream");

	FUZZ_CHECK(header != NULL);
	header = strstr(header + 1, "<stream:stream");
	FUZZ_CHECK(stanza == NULL || (header != NULL && header < stanza));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t choice = n > 0 ? data[0] : 0;
	struct fuzz f = { .conn = NULL };
	unsigned answers = 0;

	fuzz_start(&f, CONF);
	begin(&f, &answers);
	for (unsigned i = 0; i < (choice & STEP); i++)
		fuzz_feed(&f, steps[i], strlen(steps[i]), strlen(steps[i]));
	FUZZ_CHECK((choice & STEP) != STEP ||
		strstr(buf_c(&f.got), "<message") != NULL);
	if (n > 1)
		fuzz_feed(&f, (const char *)data + 1, n - 1,
			(choice >> 2) == 0 ? n : (size_t)(choice >> 2) * 4);
	check_written(&f);
	/* none comes back but where we have asked for that */
	FUZZ_CHECK(f.server->shards[0]->stats.stanzas_in == 0 ||
		strstr(buf_c(&f.got), "<bidi ") != NULL);
	fuzz_stop(&f);
	FUZZ_CHECK(answers == 1);
	return 0;
}
