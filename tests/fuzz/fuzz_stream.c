/*
 * fuzz_stream.c - any bytes into the stream of a client: nothing breaks,
 * nothing is left, and a stranger stays one.
 *
 * The first byte of the input chooses: 1: the stream is bound already, 2: no
 * TLS, 4: TLS is not required; the rest, into how large pieces the input is
 * cut.
 */
#include "config.h"

#include "base/mem.h"
#include "core/server.h"
#include "core/shard.h"
#include "stream/client/c2s.h"
#include "fuzz.h"
#include "fuzz_server.h"

#define CONF                                                                   \
	"shards: 2\nhosts: { a.example: { auth: { anonymous: yes } } }"
#define CONF_LAX                                                               \
	"shards: 2\nhosts: { a.example: { auth: { anonymous: yes, "            \
	"tls_required: no } } }"

#define BOUND 1
#define CLEAR 2
#define LAX 4

#define HEADER                                                                 \
	"<stream:stream xmlns='jabber:client' to='a.example' version='1.0' "   \
	"xmlns:stream='http://etherx.jabber.org/streams'>"
#define LOGIN                                                                  \
	HEADER                                                                 \
	"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' "                      \
	"mechanism='ANONYMOUS'>=</auth>" HEADER                                \
	"<iq type='set' id='1'><bind "                                         \
	"xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct fuzz f = { .conn = NULL };
	struct shard *first;
	uint8_t choice = n > 0 ? data[0] : 0;

	fuzz_start(&f, (choice & LAX) != 0 ? CONF_LAX : CONF);
	first = f.server->shards[0];
	c2s_accept_mem(first, fuzz_connect(&f),
		(choice & CLEAR) == 0 || (choice & BOUND) != 0);
	if ((choice & BOUND) != 0) {
		fuzz_feed(&f, LOGIN, sizeof(LOGIN) - 1, sizeof(LOGIN));
		FUZZ_CHECK(strstr(buf_c(&f.got), "<jid>") != NULL);
	}
	if (n > 1)
		fuzz_feed(&f, (const char *)data + 1, n - 1,
			(choice >> 3) == 0 ? n : (size_t)(choice >> 3) * 8);
	if ((choice & (BOUND | CLEAR | LAX)) == CLEAR)
		FUZZ_CHECK(first->stats.logins == 0);
	fuzz_stop(&f);
	return 0;
}
