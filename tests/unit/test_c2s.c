/*
 * test_c2s.c - streams of clients against a whole server in one thread: stages,
 * errors, pipelining, moving between shards, limits.
 */
#include "config.h"

#include "stream/c2s.h"

#include "c2s_world.h"
#include "core/account.h"
#include "core/entity.h"
#include "net/conn.h"
#include "stream/c2s_int.h"
#include "test.h"

TEST(a_client_logs_in_and_binds_over_starttls)
{
	struct world w;
	struct peer p;

	world_init(&w, 1, "", "");
	peer_open(&p, &w, 0, false);
	peer_say(&p, HEADER);
	CHECK_GOT(&p, "<stream:stream", "from='example.org'", "version='1.0'",
		"<stream:features><starttls xmlns=", "><required/></starttls>"
		"</stream:features>");
	peer_say(&p, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
	CHECK_GOT(&p, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
	peer_login(&p, AUTH_ROMEO, BIND("orchard"));
	CHECK_GOT(&p, "<jid>romeo@example.org/orchard</jid>");
	peer_say(&p, "</stream:stream>");
	CHECK_GOT(&p, "</stream:stream>");
	CHECK(p.closed);
	peer_done(&p);
	world_done(&w);
}

TEST_MAIN
