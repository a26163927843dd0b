/*
 * test_tls_memory.c - what a connection with TLS holds while it is idle.
 */
#include "config.h"

#include "net/tls.h"

#include "base/memuse.h"
#include "test.h"
#include "tls_world.h"

/* What a buffer for one record needs (RFC 8446 §5.1). */
#define RECORD_BYTES 16384

static const struct {
	const char *label;
	int version;
} idle_cases[] = {
	{ "TLS 1.2", TLS1_2_VERSION },
	{ "TLS 1.3", TLS1_3_VERSION },
};

/* Of what is held for a server that has spoken and listened. */
static int64_t
bytes_when_idle(int version)
{
	struct world w;
	struct memuse_sum sum;

	world_init(&w);
	set_version(w.client, version);
	world_meet(&w, NULL); /* it has written */
	CHECK_INT(SSL_write(w.p.ssl, "?", 1), 1);
	PAIR_UNTIL(&w.p, w.p.server.in.n == 1);
	sum = memuse_sum(MEMUSE_TLS);
	CHECK_INT(sum.objects, 1);
	world_done(&w);
	return sum.bytes;
}

TEST(an_idle_connection_holds_no_buffer_for_records)
{
	CHECK(tls_count_memory());
	/* the first one is not counted */
	(void)bytes_when_idle(TLS1_3_VERSION);
	for (size_t i = 0; i < COUNT(idle_cases); i++) {
		int64_t bytes;

		TEST_CASE(idle_cases[i].label);
		/* in a second only one in eight is */
		do
			bytes = bytes_when_idle(idle_cases[i].version);
		while (bytes == 0);
		CHECK(bytes > 4096);
		CHECK(bytes < RECORD_BYTES);
	}
}

TEST_MAIN
