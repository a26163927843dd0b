/*
 * test_session_in.c - what comes from a client that counts is handled when it is
 * delivered, durable or refused, and the count goes no further than that.
 */
#include "config.h"

#include "net/conn.h"

#include "store/store.h"
#include "session_scene.h"

/* --- the scene ---------------------------------------------------------------------- */

static struct session *
session_of(struct scene *s, const char *name, const char *resource)
{
	struct buf bare = BUF_INIT;
	struct session *found;

	buf_printf(&bare, "%s@example.org", name);
	found = session_find(account_of(entity_find(world_owner(&s->w, name),
				     buf_str(&bare))),
		str_c(resource));
	buf_done(&bare);
	return found;
}

/* juliet counts from here on. */
static struct session *
count_juliet(struct scene *s)
{
	struct session *j;

	scene_init(s);
	j = session_of(s, "juliet", "j");
	session_count_input(j, true);
	return j;
}

/* The store does nothing in the meantime. */
static void
say_only(struct scene *s, const char *text)
{
	conn_mem_feed(s->juliet.conn, text, strlen(text));
	for (int i = 0; i < 20; i++) {
		for (unsigned k = 0; k < s->w.server->n_shards; k++)
			shard_turn(s->w.server->shards[k]);
	}
}

static void
on_stored(struct account *acc, const struct err *err, void *arg)
{
	(void)acc;
	(void)err;
	(void)arg;
}

#define CHAT(to) "<message type='chat' to='" to "'><body>x</body></message>"

/* --- what counts ---------------------------------------------------------------------- */

TEST(every_stanza_counts_whatever_becomes_of_it)
{
	static const char *const texts[] = {
		CHAT(ROMEO),
		CHAT(ROMEO "/nowhere"),
		CHAT("nobody@example.org"),
		CHAT("x@elsewhere.example"),
		CHAT("example.org"),
		"<message/>",
		"<message to='@'/>",
		"<message type='error' to='" ROMEO "'/>",
		"<message type='headline' to='" ROMEO "/x'/>",
		"<message type='groupchat' to='" ROMEO "/x'/>",
		"<presence/>",
		"<presence type='what'/>",
		"<presence to='" ROMEO "'/>",
		"<presence type='subscribe' to='" ROMEO "'/>",
		"<presence type='subscribe' to='" ROMEO "'/>",
		"<presence type='unsubscribed' to='" ROMEO "'/>",
		"<presence type='subscribe'/>",
		"<presence type='probe' to='" ROMEO "'/>",
		"<iq/>",
		"<iq type='get' id='1'/>",
		"<iq type='get' id='2'><ping xmlns='urn:xmpp:ping'/></iq>",
		"<iq type='get' id='3' to='example.org'>"
		"<ping xmlns='urn:xmpp:ping'/></iq>",
		"<iq type='get' id='4' to='" ROMEO "/x'><q xmlns='x'/></iq>",
		"<iq type='get' id='5' to='x@elsewhere.example'>"
		"<q xmlns='x'/></iq>",
		"<iq type='result' id='6' to='" ROMEO "/x'/>",
		"<iq type='set' id='7'><bind "
		"xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
		"<iq type='set' id='8'><session "
		"xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>",
	};
	struct scene s;
	struct session *j = count_juliet(&s);
	unsigned n = 0;

	for (size_t i = 0; i < 5 * COUNT(texts); i++) {
		test_case(texts[i % COUNT(texts)]);
		peer_say(&s.juliet, texts[i % COUNT(texts)]);
		n++;
		CHECK_INT(session_received(j), n);
		CHECK_INT(session_handled(j), n);
		CHECK_INT(j->out->in.n_out, 0);
	}
	CHECK(s.juliet.conn != NULL);
	scene_done(&s);
}

TEST(who_does_not_count_has_no_receipts)
{
	struct scene s;
	struct session *j;

	scene_init(&s);
	j = session_of(&s, "juliet", "j");
	peer_say(&s.juliet, CHAT(ROMEO));
	CHECK_INT(session_received(j), 0);
	CHECK_INT(session_handled(j), 0);
	CHECK(j->out == NULL);
	session_count_input(j, true);
	peer_say(&s.juliet, CHAT(ROMEO));
	CHECK_INT(session_handled(j), 1);
	session_count_input(j, true); /* from the start */
	CHECK_INT(session_handled(j), 0);
	session_count_input(j, false);
	session_count_input(j, false);
	CHECK(j->out == NULL);
	peer_say(&s.juliet, CHAT(ROMEO));
	CHECK_INT(session_handled(j), 0);
	scene_done(&s);
}

/* Something that is stored: what juliet sends waits behind it. */
static void
store_something(struct scene *s)
{
	struct session *j = session_of(s, "juliet", "j");
	struct store_tx *tx = store_tx_new();

	store_tx_set(tx, account_place(j->account, "test"), STR("k"), STR("v"));
	account_turn(j->account, tx, 0, on_stored, NULL);
}

TEST(what_waits_for_the_disk_is_not_handled)
{
	struct scene s;
	struct session *j = count_juliet(&s);

	store_something(&s);
	say_only(&s, CHAT(ROMEO));
	CHECK_INT(session_received(j), 1);
	CHECK_INT(session_handled(j), 0);
	/* what does not wait is behind a gap */
	say_only(&s, "<presence/>" CHAT("juliet@example.org"));
	CHECK_INT(session_received(j), 3);
	CHECK_INT(session_handled(j), 0);
	CHECK_INT(j->out->in.n_out, 2);
	world_settle(&s.w);
	CHECK_INT(session_handled(j), 3);
	scene_done(&s);
}

/* --- bounds ----------------------------------------------------------------------------- */

static void
reload_with(struct scene *s, unsigned most)
{
	struct buf yaml = BUF_INIT;

	buf_printf(&yaml, "limits: { receipts_per_session: %u }\n"
		"hosts: { example.org: }\n", most);
	world_reload(&s->w, buf_c(&yaml));
	buf_done(&yaml);
}

TEST(above_the_bound_the_stream_rests)
{
	static const unsigned bounds[] = { 1, 2, 5, 100 };

	for (size_t i = 0; i < COUNT(bounds); i++) {
		struct scene s;
		struct session *j = count_juliet(&s);
		unsigned most = bounds[i];

		test_case_number("most", most);
		reload_with(&s, most);
		store_something(&s);
		for (unsigned n = 0; n < most; n++) {
			CHECK(!(j->rest & SESSION_REST_RECEIPTS));
			say_only(&s, CHAT(ROMEO));
		}
		CHECK(j->rest & SESSION_REST_RECEIPTS);
		say_only(&s, CHAT(ROMEO));
		CHECK_INT(session_received(j), most);
		world_settle(&s.w);
		CHECK(!(j->rest & SESSION_REST_RECEIPTS));
		CHECK_INT(session_handled(j), most + 1);
		scene_done(&s);
	}
}

TEST(counts_are_saved_and_go_on)
{
	struct scene s;
	struct arena *a = arena_new();
	struct buf text = BUF_INIT;
	struct account *acc;
	struct session *j;

	scene_init(&s);
	session_count_input(s.s, true);
	session_count(s.s);
	session_count(s.s);
	sleep_now(&s);
	session_save(s.s, STR_NONE, &text);
	acc = romeo_of(&s);
	session_free(s.s);
	j = session_restore(acc, stored_read(a, buf_str(&text)), STR_NONE);
	CHECK(j != NULL);
	CHECK_INT(session_handled(j), 2);
	session_count(j);
	CHECK_INT(session_received(j), 3);
	buf_done(&text);
	arena_free(a);
	scene_done(&s);
}

TEST_MAIN
