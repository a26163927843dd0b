/*
 * fuzz_component.c - any bytes into the stream of a component: nothing breaks,
 * nothing is left, and who does not know the secret stays a stranger.
 *
 * The first byte of the input chooses: 1: the handshake is done already; the rest,
 * into how large pieces the input is cut.
 */
#include "config.h"

#include <stdio.h>

#include "base/mem.h"
#include "conf/listen_kind.h"
#include "core/server.h"
#include "core/shard.h"
#include "account/credentials.h"
#include "stream/component/comp.h"
#include "fuzz.h"
#include "fuzz_server.h"

#define BOUND 1

#define SECRET "s"
#define CONF                                                                   \
	"shards: 2\nhosts: { a.example: {} }\n"                                \
	"components: { c.example: { secret: " SECRET ", subdomains: yes } }"
#define HEADER                                                                 \
	"<stream:stream xmlns='jabber:component:accept' to='c.example' "       \
	"xmlns:stream='http://etherx.jabber.org/streams'>"

/* XEP-0114 §3, with the id that the header has told. */
static void
shake(struct fuzz *f)
{
	uint8_t digest[SCRAM_DIGEST_MAX];
	struct buf both = BUF_INIT, out = BUF_INIT;
	struct str id, rest;

	fuzz_feed(f, HEADER, sizeof(HEADER) - 1, sizeof(HEADER));
	id = str_c(strstr(buf_c(&f->got), "id='") + 4);
	FUZZ_CHECK(str_cut(id, '\'', &id, &rest));
	buf_add_str(&both, id);
	buf_add_c(&both, SECRET);
	scram_digest(SCRAM_SHA_1, buf_str(&both), digest);
	buf_add_c(&out, "<handshake>");
	for (size_t i = 0; i < scram_digest_size(SCRAM_SHA_1); i++)
		buf_printf(&out, "%02x", digest[i]);
	buf_add_c(&out, "</handshake>");
	fuzz_feed(f, out.p, out.n, out.n);
	FUZZ_CHECK(strstr(buf_c(&f->got), "<handshake/>") != NULL);
	buf_done(&both);
	buf_done(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t choice = n > 0 ? data[0] : 0;
	struct fuzz f = { .conn = NULL };
	struct shard *first;

	fuzz_start(&f, CONF);
	first = f.server->shards[0];
	comp_kinds[0].accept_raw(first,
		&(struct listen_arrival){ .conn = fuzz_connect(&f) });
	if ((choice & BOUND) != 0)
		shake(&f);
	if (n > 1)
		fuzz_feed(&f, (const char *)data + 1, n - 1,
			(choice >> 1) == 0 ? n : (size_t)(choice >> 1) * 4);
	for (unsigned i = 0; (choice & BOUND) == 0 && i < 2; i++)
		FUZZ_CHECK(f.server->shards[i]->stats.logins == 0);
	fuzz_stop(&f);
	return 0;
}
