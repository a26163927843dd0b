/*
 * test_quiet.c - clients to which nobody looks (XEP-0352), and what else happens
 * meanwhile.
 */
#include "config.h"

#include "base/arena.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "unit/test.h"
#include "witness.h"
#include "world.h"

#define CSI(name) "<" name " xmlns='" NS_CSI "'/>"

/* --- copies ---------------------------------------------------------------------- */

/* Of a chat state that has to wait for what its sender said before it, too. */
TEST(a_copy_that_waits_is_as_urgent_as_one_that_does_not)
{
	struct world *w = world_of_two(3, TEST_MODULE_DIR, "");
	struct witness desk, phone;

	witness_start(&desk, w, "romeo");
	witness_start_copied(&phone, w, "romeo");
	client_send(&phone.c, CSI("inactive"));
	witness_turn(&phone);
	seen_anew(&phone);
	client_send(&desk.c, "<message type='chat' id='m' to='juliet@" WORLD_HOST
		"'><body>b</body></message>"
		"<message type='chat' id='s' to='juliet@" WORLD_HOST
		"'><composing xmlns='" NS_CHATSTATES "'/></message>");
	turn_shards(w);
	CHECK_CSTR(seen(&phone), "");
	witness_turn(&phone);
	CHECK_CSTR(seen(&phone), "sent:m ");
	client_send(&desk.c, "<message type='chat' id='t' to='juliet@" WORLD_HOST
		"'><paused xmlns='" NS_CHATSTATES "'/></message>");
	witness_turn(&phone);
	CHECK_CSTR(seen(&phone), "sent:m ");
	witness_done(&desk);
	witness_done(&phone);
	world_free(w);
}

TEST_MAIN
