/*
 * test_quiet.c - clients to which nobody looks (XEP-0352), and what else happens
 * meanwhile.
 */
#include "config.h"

#include "base/arena.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "core/server.h"
#include "core/shard.h"
#include "unit/test.h"
#include "device.h"
#include "witness.h"
#include "world.h"

#define CSI(name) "<" name " xmlns='" NS_CSI "'/>"
#define HOST(modules)                                                          \
	"  " WORLD_HOST ": { auth: { tls_required: no }, modules: {" modules   \
	"} }\n"

/* juliet says something of herself, to romeo alone. */
static void
show(struct witness *juliet, const char *id, const char *to)
{
	client_send(&juliet->c, "<presence id='%s' to='romeo@" WORLD_HOST
		"%s'/>", id, to);
	witness_turn(juliet);
}

/* --- a module that goes ---------------------------------------------------------- */

/* Nobody could say any more that somebody looks. */
TEST(when_the_module_goes_all_clients_are_active)
{
	struct world *w = world_of_two(1, TEST_MODULE_DIR, "");
	struct witness romeo, juliet;

	witness_start(&romeo, w, "romeo");
	witness_start(&juliet, w, "juliet");
	seen_anew(&romeo);
	client_send(&romeo.c, CSI("inactive"));
	witness_turn(&romeo);
	show(&juliet, "a", "/r");
	show(&juliet, "b", "/r");
	CHECK_CSTR(seen(&romeo), "");
	w->hosts = HOST("csi: off");
	world_reload(w);
	witness_turn(&romeo);
	CHECK_CSTR(seen(&romeo), "presence:b ");
	show(&juliet, "c", "/r");
	CHECK_CSTR(seen(&romeo), "presence:b presence:c ");
	/* and when it comes again */
	w->hosts = HOST("");
	world_reload(w);
	witness_turn(&romeo);
	client_send(&romeo.c, CSI("inactive"));
	witness_turn(&romeo);
	show(&juliet, "d", "/r");
	client_send(&romeo.c, CSI("active"));
	witness_turn(&romeo);
	CHECK_CSTR(seen(&romeo), "presence:b presence:c presence:d ");
	witness_done(&juliet);
	witness_done(&romeo);
	world_free(w);
}

/* --- stream management ----------------------------------------------------------- */

/* As behind anything else that is written. */
TEST(what_was_held_is_asked_for_when_it_has_gone_out)
{
	struct world *w = world_of_two(2, TEST_MODULE_DIR, "");
	struct witness juliet;
	struct device phone;
	uint32_t h;

	witness_start(&juliet, w, "juliet");
	device_init(&phone, w, "romeo", "phone");
	device_come(&phone);
	device_settle(&phone);
	world_sleep(w, 10 * US_PER_S);
	device_settle(&phone);
	client_send(&phone.c, CSI("inactive"));
	device_settle(&phone);
	h = phone.h;
	phone.asked = 0;
	show(&juliet, "a", "/phone");
	world_sleep(w, 60 * US_PER_S);
	device_settle(&phone);
	CHECK_INT(phone.h, h);
	CHECK_INT(phone.asked, 0);
	client_send(&phone.c, CSI("active"));
	device_settle(&phone);
	CHECK_INT(phone.h, h + 1);
	world_sleep(w, 4 * US_PER_S);
	device_settle(&phone);
	CHECK_INT(phone.asked, 1);
	witness_done(&juliet);
	device_done(&phone);
	world_free(w);
}

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
