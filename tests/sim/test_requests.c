/*
 * test_requests.c - what sessions ask of their account, of hosts and of others:
 * in order (RFC 6120 §10.1), and no more under way than is good, however much is
 * asked for in one write.
 */
#include "config.h"

#include <fnmatch.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "xml/elem.h"
#include "xmpp/subscription.h"
#include "net/conn.h"
#include "core/entity.h"
#include "core/server.h"
#include "core/shard.h"
#include "account/account.h"
#include "account/session.h"
#include "../peek.h"
#include "unit/test.h"
#include "world.h"

#define MiB (1024 * 1024)
#define MANY 300
#define FAST                                                                   \
	"limits: { stanzas_per_second: 100000, stanzas_burst: 100000, "        \
	"bytes_per_second: 1GiB, bytes_burst: 1GiB }\n"

/* A client that writes down the ids of what it gets, with the text of the
 * innermost first elements: "s1: g1:one m:". */
struct asker {
	struct client c;
	struct buf seen;
	unsigned n; /* iqs */
};

static struct str
innermost_text(struct arena *a, struct elem *e)
{
	struct elem *first;

	while ((first = elem_first_child(e)) != NULL)
		e = first;
	return elem_text(a, e);
}

static void
on_stanza(struct client *c, struct arena *a, struct elem *e)
{
	struct asker *x = c->user;
	struct str id = elem_attr(e, "id"), text = innermost_text(a, e);

	x->n += str_is(e->name, "iq");
	if (id.p != NULL && text.n < 64)
		buf_printf(&x->seen, "%.*s:%.*s ", STR_ARG(id), STR_ARG(text));
	arena_free(a);
}

/* Until nothing moves, and those who wait for a client to take its answers have
 * gone on. */
static void
turn(struct asker *x)
{
	for (int i = 0; i < 8; i++) {
		world_settle(x->c.world);
		client_read(&x->c);
	}
}

static void
asker_start(struct asker *x, struct world *w, const char *local,
	const char *resource)
{
	memset(x, 0, sizeof(*x));
	client_init(&x->c, w, local, resource);
	x->c.on_stanza = on_stanza;
	x->c.user = x;
	client_connect(&x->c);
	turn(x);
	CHECK(x->c.state == CLIENT_ONLINE);
	x->seen.n = 0;
	x->n = 0;
}

static void
asker_done(struct asker *x)
{
	client_leave(&x->c);
	turn(x);
	client_done(&x->c);
	buf_done(&x->seen);
}

static void
say(struct asker *x, const struct buf *text)
{
	conn_mem_feed(x->c.conn, text->p, text->n);
}

static struct world *
world_of_two(uint64_t seed, const char *conf)
{
	struct world *w = world_new(seed, 2, TEST_MODULE_DIR, conf);

	world_add_account(w, "romeo");
	world_add_account(w, "juliet");
	return w;
}

static struct session *
session_of(struct world *w, const char *bare)
{
	struct shard *sh = peek_owner(w->server, str_c(bare));

	return account_of(entity_find(sh, str_c(bare)))->sessions;
}

/* Turns by turns, until n more iqs have come: the most that arenas took, beyond
 * what they took before. */
static int64_t
peak_until(struct asker *x, unsigned n)
{
	int64_t before = memuse_sum(MEMUSE_ARENA).bytes, peak = 0;
	unsigned until = x->n + n;

	for (int i = 0; i < 1000000 && x->n < until && !x->c.closed; i++) {
		if (i % 64 == 63)
			world_sleep(x->c.world, 20 * US_PER_MS);
		world_turn(x->c.world);
		peak = MAX(peak, memuse_sum(MEMUSE_ARENA).bytes - before);
		client_read(&x->c);
	}
	CHECK_INT(x->n, until);
	return peak;
}

/* --- order -------------------------------------------------------------------- */

static const struct {
	const char *set, *get;
} kept[] = {
	{ "<iq type='set' id='s%u'><query xmlns='jabber:iq:private'>"
	  "<a xmlns='urn:a'>%u</a></query></iq>",
		"<iq type='get' id='g%u'><query xmlns='jabber:iq:private'>"
		"<a xmlns='urn:a'/></query></iq>" },
	{ "<iq type='set' id='s%u'><vCard xmlns='vcard-temp'>"
	  "<FN>%u</FN></vCard></iq>",
		"<iq type='get' id='g%u'><vCard xmlns='vcard-temp'/></iq>" },
	{ "<iq type='set' id='s%u'><query xmlns='jabber:iq:roster'>"
	  "<item jid='a@x.example'><group>%u</group></item></query></iq>",
		"<iq type='get' id='g%u'><query xmlns='jabber:iq:roster'/></iq>" },
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

/* Pushes are left out: they have their own order. */
static void
check_sets_and_gets(struct asker *x, const char *set, const char *get,
	unsigned n, unsigned gets)
{
	struct buf text = BUF_INIT, want = BUF_INIT, got = BUF_INIT;

	x->seen.n = 0;
	for (unsigned i = 1; i <= n; i++) {
		buf_printf(&text, set, i, i);
		buf_printf(&want, "s%u: ", i);
		for (unsigned j = 0; j < gets; j++) {
			buf_printf(&text, get, i);
			buf_printf(&want, "g%u:%u ", i, i);
		}
	}
	say(x, &text);
	turn(x);
	for (char *at = strtok((char *)(uintptr_t)buf_c(&x->seen), " ");
		at != NULL; at = strtok(NULL, " ")) {
		if (strncmp(at, "push-", 5) != 0)
			buf_printf(&got, "%s ", at);
	}
	CHECK(str_eq(buf_str(&got), buf_str(&want)));
	buf_done(&text);
	buf_done(&want);
	buf_done(&got);
}

#pragma GCC diagnostic pop

TEST(a_get_shows_what_was_set_before_it_and_nothing_else)
{
	static const unsigned sizes[] = { 0, 1, 2, 3, 17, 100, MANY };
	struct asker x;

	for (unsigned i = 0; i < COUNT(sizes) * COUNT(kept); i++) {
		struct world *w = world_of_two(i, FAST);
		size_t k = i % COUNT(kept);

		asker_start(&x, w, "romeo", "r");
		check_sets_and_gets(&x, kept[k].set, kept[k].get,
			sizes[i / COUNT(kept)], i % 2 + 1);
		asker_done(&x);
		world_free(w);
	}
}

/* What a reader has to wait for, whoever asks: the account allows three. */
TEST(two_sessions_cannot_pass_a_limit_together)
{
	struct world *w = world_of_two(7,
		FAST "modules: { private: { max_namespaces: 3 } }\n");
	struct asker x[2];
	struct buf text = BUF_INIT;
	unsigned kept_there = 0;

	for (unsigned i = 0; i < 2; i++)
		asker_start(&x[i], w, "romeo", i == 0 ? "a" : "b");
	for (unsigned i = 0; i < 2; i++) {
		text.n = 0;
		for (unsigned j = 0; j < 20; j++)
			buf_printf(&text,
				"<iq type='set' id='x'><query "
				"xmlns='jabber:iq:private'><a xmlns='urn:%u-%u'>"
				"1</a></query></iq>",
				i, j);
		say(&x[i], &text);
	}
	turn(&x[0]);
	turn(&x[1]);
	for (unsigned i = 0; i < 2; i++) {
		CHECK_INT(x[i].n, 20);
		text.n = 0;
		x[i].seen.n = 0;
		for (unsigned j = 0; j < 20; j++)
			buf_printf(&text,
				"<iq type='get' id='y'><query "
				"xmlns='jabber:iq:private'><a xmlns='urn:%u-%u'/>"
				"</query></iq>",
				i, j);
		say(&x[i], &text);
		turn(&x[i]);
		for (const char *at = buf_c(&x[i].seen);
			(at = strstr(at, "y:1 ")) != NULL; at++)
			kept_there++;
		asker_done(&x[i]);
	}
	CHECK_INT(kept_there, 3);
	buf_done(&text);
	world_free(w);
}

/* The store does not turn: what waits for it holds up nobody else. */
TEST(a_message_does_not_overtake_a_change_but_a_get)
{
	struct world *w = world_of_two(8, FAST "modules: { archive: off }\n");
	struct asker romeo, juliet;

	asker_start(&romeo, w, "romeo", "r");
	asker_start(&juliet, w, "juliet", "j");
	client_send(&romeo.c, "<iq type='get' id='g'><vCard xmlns='vcard-temp'/>"
		"</iq><message to='juliet@" WORLD_HOST "' id='1'><body>x"
		"</body></message><iq type='set' id='s'><vCard "
		"xmlns='vcard-temp'/></iq><message to='juliet@" WORLD_HOST
		"' id='2'><body>y</body></message>");
	for (unsigned i = 0; i < 64; i++)
		shard_turn(w->server->shards[i % w->n_shards]);
	client_read(&juliet.c);
	CHECK(strcmp(buf_c(&juliet.seen), "1:x ") == 0);
	turn(&romeo);
	client_read(&juliet.c);
	CHECK(strcmp(buf_c(&juliet.seen), "1:x 2:y ") == 0);
	CHECK(strcmp(buf_c(&romeo.seen), "g: s: ") == 0);
	asker_done(&romeo);
	asker_done(&juliet);
	world_free(w);
}

/* A roster shows what was asked for before, and nothing after; and a client that
 * asks for it before it comes online has it before anything else. */
TEST(presence_overtakes_neither_a_get_nor_a_change)
{
	struct world *w = world_of_two(10, FAST);
	struct asker romeo;

	asker_start(&romeo, w, "romeo", "r");
	client_send(&romeo.c, "<presence type='unavailable'/>"
		"<iq type='get' id='g1'><query xmlns='jabber:iq:roster'/></iq>"
		"<presence id='p'><status>here</status></presence>"
		"<iq type='set' id='s'><query xmlns='jabber:iq:roster'>"
		"<item jid='juliet@" WORLD_HOST "'><group>x</group></item>"
		"</query></iq><presence id='q' type='subscribe' to='juliet@"
		WORLD_HOST "'/><iq type='get' id='g2'><query "
		"xmlns='jabber:iq:roster'/></iq>");
	turn(&romeo);
	CHECK(fnmatch("g1: p:here push-*:x s: push-*:x g2:x ",
		      buf_c(&romeo.seen), 0) == 0);
	asker_done(&romeo);
	world_free(w);
}

TEST(a_message_that_waits_is_not_lost_with_its_sender)
{
	struct world *w = world_of_two(9, FAST);
	struct asker romeo, juliet;

	asker_start(&romeo, w, "romeo", "r");
	asker_start(&juliet, w, "juliet", "j");
	client_send(&romeo.c, "<iq type='set' id='s'><vCard xmlns='vcard-temp'/>"
		"</iq><iq type='get' id='g'><vCard xmlns='vcard-temp'/></iq>"
		"<message to='juliet@" WORLD_HOST "' id='1'><body>x</body>"
		"</message>");
	for (unsigned i = 0; i < 64; i++)
		shard_turn(w->server->shards[i % w->n_shards]);
	client_break(&romeo.c);
	turn(&juliet);
	CHECK(strstr(buf_c(&juliet.seen), "1:x ") != NULL);
	client_done(&romeo.c);
	buf_done(&romeo.seen);
	asker_done(&juliet);
	world_free(w);
}

/* --- how much is under way ---------------------------------------------------- */

static void
repeat(struct buf *out, const char *text, unsigned n)
{
	out->n = 0;
	for (unsigned i = 0; i < n; i++)
		buf_add_c(out, text);
}

/* A roster of about 300 KB. */
static void
fill_roster(struct asker *x, struct buf *text)
{
	struct buf name = BUF_INIT;

	repeat(&name, "n", 1000);
	text->n = 0;
	for (unsigned i = 0; i < MANY; i++)
		buf_printf(text,
			"<iq type='set' id='x'><query xmlns='jabber:iq:roster'>"
			"<item jid='c%u@x.example' name='%s'/></query></iq>",
			i, buf_c(&name));
	say(x, text);
	buf_done(&name);
	for (unsigned i = 0; i < 200; i++)
		world_sleep(x->c.world, 20 * US_PER_MS);
	turn(x);
}

#define GET_ROSTER "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>"
#define SET_ROSTER                                                             \
	"<iq type='set' id='s'><query xmlns='jabber:iq:roster'>"               \
	"<item jid='z@x.example'/></query></iq>"

TEST(many_rosters_that_are_asked_for_at_once_are_made_one_by_one)
{
	struct world *w = world_of_two(10, FAST);
	struct asker x;
	struct buf text = BUF_INIT;

	asker_start(&x, w, "romeo", "r");
	fill_roster(&x, &text);
	/* with a change before them that is not durable, and without */
	for (int change = 1; change >= 0; change--) {
		repeat(&text, GET_ROSTER, MANY);
		if (change)
			client_send(&x.c, SET_ROSTER);
		say(&x, &text);
		CHECK(peak_until(&x, MANY + 2 * (unsigned)change) < 12 * MiB);
	}
	buf_done(&text);
	asker_done(&x);
	world_free(w);
}

TEST(cards_are_read_a_few_at_a_time)
{
	static const char *const gets[] = {
		"<iq type='get' id='g'><vCard xmlns='vcard-temp'/></iq>",
		"<iq type='get' id='g' to='romeo@" WORLD_HOST
		"'><vCard xmlns='vcard-temp'/></iq>",
	};
	struct world *w = world_of_two(11, FAST);
	struct asker x[2];
	struct buf text = BUF_INIT, photo = BUF_INIT;

	asker_start(&x[0], w, "romeo", "r");
	asker_start(&x[1], w, "juliet", "j");
	repeat(&photo, "0123456789ABCDEF", 15000);
	buf_printf(&text, "<iq type='set' id='s'><vCard xmlns='vcard-temp'>"
			  "<PHOTO>%s</PHOTO></vCard></iq>",
		buf_c(&photo));
	say(&x[0], &text);
	turn(&x[0]);
	for (unsigned i = 0; i < 2; i++) {
		repeat(&text, gets[i], MANY);
		say(&x[i], &text);
		CHECK(peak_until(&x[i], MANY) < 12 * MiB);
	}
	buf_done(&text);
	buf_done(&photo);
	asker_done(&x[0]);
	asker_done(&x[1]);
	world_free(w);
}

/* However slowly: what it has taken makes room, and no timer. */
TEST(who_reads_slowly_gets_the_next_answer_once_it_has_read)
{
	static const size_t pieces[] = { 1000, 70000, 1000000 };
	struct world *w = world_of_two(13, FAST);
	struct asker x;
	struct buf text = BUF_INIT, photo = BUF_INIT;
	int64_t now_us;

	asker_start(&x, w, "romeo", "r");
	repeat(&photo, "0123456789ABCDEF", 10000);
	buf_printf(&text, "<iq type='set' id='s'><vCard xmlns='vcard-temp'>"
			  "<PHOTO>%s</PHOTO></vCard></iq>",
		buf_c(&photo));
	say(&x, &text);
	turn(&x);
	repeat(&text, "<iq type='get' id='g'><vCard xmlns='vcard-temp'/></iq>",
		20);
	now_us = w->clock.mono_us;
	for (size_t i = 0; i < COUNT(pieces); i++) {
		size_t most = 20 * photo.n * 2 / pieces[i];

		x.n = 0;
		conn_mem_take(x.c.conn, 0);
		say(&x, &text);
		world_settle(w);
		client_read(&x.c);
		CHECK_INT(x.n, 0);
		for (size_t n = 0; n < most && x.n < 20; n++) {
			conn_mem_take(x.c.conn, pieces[i]);
			world_settle(w);
			client_read(&x.c);
		}
		CHECK_INT(x.n, 20);
		conn_mem_take(x.c.conn, SIZE_MAX);
		world_settle(w);
	}
	CHECK_INT(w->clock.mono_us, now_us);
	CHECK(session_of(w, "romeo@" WORLD_HOST)->requests == NULL);
	buf_done(&text);
	buf_done(&photo);
	asker_done(&x);
	world_free(w);
}

/* The store does not turn; two sets and a get for each reason to wait. */
TEST(a_stream_rests_while_too_many_of_its_requests_wait)
{
	struct world *w = world_of_two(12, FAST);
	struct asker x;
	struct buf text = BUF_INIT;
	unsigned said = 0;

	asker_start(&x, w, "romeo", "r");
	repeat(&text,
		"<iq type='set' id='s'><vCard xmlns='vcard-temp'/></iq>"
		"<iq type='get' id='g'><vCard xmlns='vcard-temp'/></iq>",
		50);
	while (session_of(w, "romeo@" WORLD_HOST)->rest == 0 && said < 2000) {
		say(&x, &text);
		said += 100;
		for (unsigned i = 0; i < w->n_shards; i++)
			shard_turn(w->server->shards[i]);
	}
	CHECK(said < 400);
	/* whoever stays away from it is served */
	turn(&x);
	CHECK_INT(x.n, said);
	CHECK_INT(session_of(w, "romeo@" WORLD_HOST)->rest, 0);
	CHECK(session_of(w, "romeo@" WORLD_HOST)->requests == NULL);
	buf_done(&text);
	asker_done(&x);
	world_free(w);
}

static void
befriend(struct asker *x, struct asker *y)
{
	client_send(&y->c,
		"<presence type='subscribe' to='romeo@" WORLD_HOST "'/>");
	turn(y);
	client_send(&x->c,
		"<presence type='subscribed' to='juliet@" WORLD_HOST "'/>");
	turn(y);
}

/* All of a roster of MANY are told of it, but one is there to hear. */
static struct account *
tell_whole_roster(struct world *w, struct asker *x, struct buf *text)
{
	struct account *acc = session_of(w, "romeo@" WORLD_HOST)->account;

	fill_roster(x, text);
	for (uint32_t i = 0; i < acc->roster.n; i++)
		roster_at(&acc->roster, i)->state |= SUB_FROM;
	CHECK_INT(acc->roster.n, MANY + 1);
	return acc;
}

#define A_PIECE 100

/* The same from each session in turn. */
static void
say_presence(struct asker *const x[2], unsigned n, struct buf *want)
{
	struct buf text = BUF_INIT;

	for (unsigned i = 0; i < A_PIECE; i++) {
		buf_printf(&text, "<presence id='p%u'/>", n + i);
		buf_printf(want, "p%u: ", n + i);
	}
	say(x[n / A_PIECE % 2], &text);
	buf_done(&text);
}

TEST(streams_rest_while_too_much_presence_waits_for_a_change)
{
	struct world *w = world_of_two(15, FAST);
	struct asker x, other, y, *const both[2] = { &x, &other };
	struct buf text = BUF_INIT, want = BUF_INIT;
	struct account *acc;
	unsigned said = 0;

	asker_start(&x, w, "romeo", "r");
	asker_start(&other, w, "romeo", "s");
	asker_start(&y, w, "juliet", "r");
	befriend(&x, &y);
	acc = tell_whole_roster(w, &x, &text);
	y.seen.n = 0;
	client_send(&x.c,
		"<presence type='subscribe' to='nobody@" WORLD_HOST "'/>");
	for (; acc->sessions->rest == 0 && said < 20000; said += A_PIECE) {
		say_presence(both, said, &want);
		for (unsigned i = 0; i < w->n_shards; i++)
			shard_turn(w->server->shards[i]);
	}
	CHECK(said > A_PIECE);
	CHECK(acc->line.bytes < MiB + MiB / 4);
	CHECK(acc->sessions->rest != 0 && acc->sessions->next->rest != 0);
	for (unsigned i = 0; i < 100 * w->n_shards; i++)
		shard_turn(w->server->shards[i % w->n_shards]);
	CHECK(acc->line.bytes < MiB + MiB / 4);
	CHECK_INT(y.seen.n, 0);
	for (unsigned i = 0; i < 200 && y.seen.n < want.n; i++) {
		world_sleep(w, 20 * US_PER_MS);
		turn(&y);
	}
	CHECK(str_eq(buf_str(&y.seen), buf_str(&want)));
	CHECK(account_line_is_empty(acc));
	CHECK_INT(acc->line.bytes, 0);
	CHECK(acc->sessions->rest == 0 && acc->sessions->next->rest == 0);
	buf_done(&text);
	buf_done(&want);
	asker_done(&x);
	asker_done(&other);
	asker_done(&y);
	world_free(w);
}

/* --- what strangers see of cards ----------------------------------------------- */

static uint64_t
reads_for(struct asker *x, const char *to)
{
	struct store_stats before, after;

	store_stats(x->c.world->server->store, &before);
	client_send(&x->c, "<iq type='get' id='c' to='%s'>"
		"<vCard xmlns='vcard-temp'/></iq>", to);
	turn(x);
	store_stats(x->c.world->server->store, &after);
	return after.reads - before.reads;
}

TEST(a_card_is_looked_for_whether_there_is_an_account_or_not)
{
	struct world *w = world_of_two(13, FAST);
	struct asker x;

	asker_start(&x, w, "romeo", "r");
	/* both addresses are in memory now */
	reads_for(&x, "juliet@" WORLD_HOST);
	reads_for(&x, "nobody@" WORLD_HOST);
	CHECK_INT(reads_for(&x, "juliet@" WORLD_HOST), 1);
	CHECK_INT(reads_for(&x, "nobody@" WORLD_HOST), 1);
	asker_done(&x);
	world_free(w);
}

TEST_MAIN
