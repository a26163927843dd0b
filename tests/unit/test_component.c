/*
 * test_component.c - components: their streams, links and queues, on shards that
 * the test turns.
 */
#include "config.h"

#include "core/component.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "net/conn.h"
#include "core/entity.h"
#include "core/host.h"
#include "core/link.h"
#include "core/place.h"
#include "core/receipt.h"
#include "core/router.h"
#include "account/credentials.h"
#include "stream/component/comp.h"

#include "c2s_world.h"
#include "test.h"

#define SHARDS 3
#define COMPONENTS(options)                                                    \
	"components: { c.example: { secret: s" options " }, d.example: "       \
	"{ secret: s } }"
#define OPEN(domain)                                                           \
	"<stream:stream xmlns='jabber:component:accept' to='" domain "' "      \
	"xmlns:stream='http://etherx.jabber.org/streams'>"
#define KIB(n) ((n) * 1024)

/* Appends the handshake for the header that p has got. */
static void
handshake_write(struct buf *out, struct peer *p, const char *secret)
{
	uint8_t digest[SCRAM_DIGEST_MAX];
	struct buf both = BUF_INIT;
	const char *at = strstr(buf_c(&p->got), "id='");
	struct str id, rest;

	CHECK(at != NULL && str_cut(str_c(at + 4), '\'', &id, &rest));
	buf_add_str(&both, id);
	buf_add_c(&both, secret);
	scram_digest(SCRAM_SHA_1, buf_str(&both), digest);
	buf_add_c(out, "<handshake>");
	for (size_t i = 0; i < scram_digest_size(SCRAM_SHA_1); i++)
		buf_printf(out, "%02x", digest[i]);
	buf_add_c(out, "</handshake>");
	buf_done(&both);
}

/* more is sent in the same piece as the handshake. */
static void
component_login(struct peer *p, struct world *w, unsigned shard,
	const char *header, const char *more)
{
	struct buf out = BUF_INIT;

	peer_open_at(p, w, shard, comp_kinds);
	peer_say(p, header);
	handshake_write(&out, p, "s");
	buf_add_c(&out, more);
	peer_say(p, buf_c(&out));
	buf_done(&out);
}

static void
romeo_login_as(struct peer *p, struct world *w, const char *bind)
{
	peer_open(p, w, 0, true);
	peer_login(p, AUTH_ROMEO, bind);
}

static void
romeo_login(struct peer *p, struct world *w)
{
	romeo_login_as(p, w, BIND("orchard"));
}

static struct entity *
component_at(struct world *w, const char *domain)
{
	struct shard *sh = w->server->shards[
		server_place_of(w->server, str_c(domain)).shard];

	return entity_find(sh, str_c(domain));
}

/* Of n bytes and a little. */
static void
say_much(struct peer *p, const char *to, int id, size_t n)
{
	struct buf out = BUF_INIT;

	buf_printf(&out, "<message type='chat' to='%s' id='%d'><body>", to, id);
	for (size_t i = 0; i < n; i++)
		buf_add_c(&out, "x");
	buf_add_c(&out, "</body></message>");
	peer_say(p, buf_c(&out));
	buf_done(&out);
}

static size_t
times(const struct peer *p, const char *what)
{
	struct str got = buf_str(&p->got);
	size_t n = 0;

	while ((got.p = memmem(got.p, got.n, what, strlen(what))) != NULL) {
		n++;
		got.p++;
		got.n = (size_t)(p->got.p + p->got.n - got.p);
	}
	return n;
}

/* Wherever it is accepted, with what it has sent ahead. */
TEST(a_component_comes_to_its_shard_with_all_that_it_has_sent)
{
	for (unsigned shard = 0; shard < SHARDS; shard++) {
		struct peer romeo, c;
		struct world w;

		TEST_CASE("shard");
		world_init(&w, SHARDS, COMPONENTS(""), "");
		romeo_login(&romeo, &w);
		component_login(&c, &w, shard, OPEN("C.Example"),
			"<message to='romeo@example.org/orchard' from='x@c.example' "
			"type='chat'><body>ahead</body></message><mess");
		CHECK(peer_has(&c, "<handshake/>"));
		CHECK(component_at(&w, "c.example") != NULL);
		CHECK(peer_has(&romeo, "ahead"));
		peer_say(&c, "age to='romeo@example.org/orchard' type='chat'>"
			     "<body>behind</body></message>");
		CHECK(peer_has(&romeo, "behind"));
		peer_done(&c);
		peer_done(&romeo);
		world_done(&w);
	}
}

/* A link gets what it takes, and the rest waits. */
TEST(one_who_is_slow_gets_all_in_order)
{
	struct peer romeo, c;
	int64_t stanzas, bytes;
	struct world w;

	world_init(&w, SHARDS, COMPONENTS(""), "");
	romeo_login(&romeo, &w);
	component_login(&c, &w, 0, OPEN("c.example"), "");
	conn_mem_take(c.conn, 0);
	for (int i = 0; i < 20; i++) {
		say_much(&romeo, "x@c.example", i, KIB(20));
		world_advance(&w, US_PER_S); /* it rests for that */
	}
	component_waiting(component_at(&w, "c.example"), &stanzas, &bytes);
	CHECK(stanzas >= 12 && stanzas < 20);
	CHECK(bytes >= stanzas * KIB(20));
	c.got.n = 0;
	conn_mem_take(c.conn, SIZE_MAX);
	world_settle(&w);
	world_advance(&w, US_PER_S);
	CHECK_INT(times(&c, "<message"), 20);
	CHECK(strstr(buf_c(&c.got), "id=\"19\"") > strstr(buf_c(&c.got), "id=\"18\""));
	component_waiting(component_at(&w, "c.example"), &stanzas, &bytes);
	CHECK_INT(stanzas, 0);
	CHECK_INT(bytes, 0);
	peer_done(&c);
	peer_done(&romeo);
	world_done(&w);
}

static void
on_home(struct turn_end *t)
{
	(void)t;
}

/* Who has sent what is paced learns when the component has taken it, or is gone; of what
 * is not, at once. */
TEST(what_is_paced_is_held_until_a_component_takes_it)
{
	static const struct {
		bool paced, ends;
	} cases[] = { { true, false }, { true, true }, { false, false } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct receipt_line line;
		struct peer c;
		struct world w;
		struct shard *sh;
		uint32_t handled;

		world_init(&w, SHARDS, COMPONENTS(""), "");
		component_login(&c, &w, 0, OPEN("c.example"), "");
		conn_mem_take(c.conn, 0);
		sh = world_owner(&w, "romeo");
		receipt_line_begin(&line, sh, 0, on_home);
		for (int n = 0; n < 40; n++) {
			struct stanza *st = stanza_new(PRESENCE_AVAILABLE,
				jid_trusted(STR("romeo@example.org/orchard")),
				jid_trusted(STR("x@c.example")), STR_NONE);

			elem_add_with_text(st->arena, st->root, NS_CLIENT, "status",
				arena_printf(st->arena, "%05000d", n));
			receipt_line_next(&line);
			receipt_give(&line, st);
			st->paced = cases[i].paced;
			router_send(sh, st);
			world_settle(&w);
		}
		handled = receipt_line_handled(&line);
		CHECK(cases[i].paced ? handled > 0 && handled < 40 :
				       handled == 40);
		if (cases[i].ends)
			peer_done(&c);
		else
			conn_mem_take(c.conn, SIZE_MAX);
		world_settle(&w);
		world_advance(&w, 60 * US_PER_S);
		CHECK_INT(receipt_line_handled(&line), 40);
		receipt_line_end(&line);
		if (!cases[i].ends)
			peer_done(&c);
		world_done(&w);
	}
}

/* Whoever comes next gets what the one before has not taken. */
TEST(what_waits_for_one_goes_to_the_next)
{
	struct peer romeo, c, next;
	struct world w;

	world_init(&w, SHARDS, COMPONENTS(""), "");
	romeo_login(&romeo, &w);
	component_login(&c, &w, 0, OPEN("c.example"), "");
	conn_mem_take(c.conn, 0);
	for (int i = 0; i < 12; i++) {
		say_much(&romeo, "x@c.example", i, KIB(20));
		world_advance(&w, US_PER_S); /* it rests for that */
	}
	component_login(&next, &w, 1, OPEN("c.example"), "");
	world_settle(&w);
	CHECK(times(&next, "<message") >= 8);
	CHECK(peer_has(&next, "id=\"11\""));
	CHECK(c.closed || times(&c, "conflict") <= 1);
	CHECK_INT(times(&romeo, "type=\"error\""), 0);
	peer_done(&c);
	peer_done(&next);
	peer_done(&romeo);
	world_done(&w);
}

/* Nobody is there to take it. */
TEST(what_waits_for_one_goes_back_when_nobody_is_next)
{
	int64_t stanzas, bytes;
	struct peer romeo, c;
	struct world w;

	world_init(&w, SHARDS, COMPONENTS(""), "");
	romeo_login(&romeo, &w);
	component_login(&c, &w, 0, OPEN("c.example"), "");
	conn_mem_take(c.conn, 0);
	for (int i = 0; i < 12; i++) {
		say_much(&romeo, "x@c.example", i, KIB(20));
		world_advance(&w, US_PER_S); /* it rests for that */
	}
	romeo.got.n = 0;
	peer_done(&c);
	CHECK(times(&romeo, "remote-server-timeout") >= 8);
	component_waiting(component_at(&w, "c.example"), &stanzas, &bytes);
	CHECK_INT(stanzas, 0);
	CHECK_INT(bytes, 0);
	peer_done(&romeo);
	world_done(&w);
}

/* Connects, and takes nothing. */
static void
component_stall(struct peer *p, struct world *w)
{
	struct buf out = BUF_INIT;

	peer_open_at(p, w, 0, comp_kinds);
	peer_say(p, OPEN("c.example"));
	conn_mem_take(p->conn, 0);
	handshake_write(&out, p, "s");
	peer_say(p, buf_c(&out));
	buf_done(&out);
}

/* However often one comes meanwhile that does not take it. */
TEST(what_waits_waits_no_longer_than_it_may)
{
	struct peer romeo, c;
	int64_t stanzas, bytes, left = 20;
	struct world w;

	world_init(&w, SHARDS,
		COMPONENTS(", queue_bytes: 64MiB, queue_time: 100s"), "");
	romeo_login(&romeo, &w);
	for (int i = 0; i < left; i++) {
		say_much(&romeo, "x@c.example", i, KIB(20));
		world_advance(&w, US_PER_S); /* it rests for that */
	}
	for (int i = 0; i < 3; i++) {
		component_stall(&c, &w);
		world_advance(&w, 10 * US_PER_S);
		peer_done(&c);
		component_waiting(component_at(&w, "c.example"), &stanzas,
			&bytes);
		CHECK(stanzas >= left - 5 && stanzas < left);
		left = stanzas;
	}
	CHECK_INT(times(&romeo, "remote-server-timeout"), 0);
	world_advance(&w, 80 * US_PER_S);
	CHECK_INT(times(&romeo, "remote-server-timeout"), left);
	/* each that stalls has one that is larger than all it may have */
	for (int i = 20; i < 23; i++) {
		say_much(&romeo, "x@c.example", i, i < 22 ? KIB(200) : 1);
		world_advance(&w, 5 * US_PER_S);
	}
	for (int i = 0; i < 2; i++) {
		component_stall(&c, &w);
		peer_done(&c);
	}
	component_login(&c, &w, 0, OPEN("c.example"), "");
	CHECK_INT(times(&c, "id=\"22\""), 1);
	CHECK_INT(times(&c, "<delay"), times(&c, "<message"));
	peer_done(&c);
	peer_done(&romeo);
	world_done(&w);
}

/* write_queue_max_bytes, and no progress for a minute. */
TEST(one_who_takes_nothing_is_cut)
{
	static const struct {
		const char *limits;
		int64_t wait_us;
		bool cut;
	} cases[] = {
		{ "write_queue_bytes: 64KiB", 50 * US_PER_S, false },
		{ "write_queue_bytes: 64KiB", 70 * US_PER_S, true },
		{ "write_queue_bytes: 64KiB, write_queue_max_bytes: 256KiB",
			30 * US_PER_S, true },
		{ "write_queue_bytes: 8MiB", 70 * US_PER_S, false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf more = BUF_INIT;
		struct peer d, c;
		struct world w;

		TEST_CASE(cases[i].limits);
		buf_printf(&more, "limits: { %s }\n%s", cases[i].limits,
			COMPONENTS(""));
		world_init(&w, SHARDS, buf_c(&more), "");
		/* one that sends all the same, however slowly */
		component_login(&d, &w, 1, OPEN("d.example"), "");
		component_login(&c, &w, 0, OPEN("c.example"), "");
		conn_mem_take(c.conn, 0);
		for (int k = 0; k < 30; k++)
			say_much(&d, "x@c.example", k, KIB(20));
		world_advance(&w, cases[i].wait_us);
		world_settle(&w);
		CHECK(c.closed == cases[i].cut);
		peer_done(&d);
		peer_done(&c);
		world_done(&w);
		buf_done(&more);
	}
}

/* A million may wait, and others have their turns meanwhile. */
#define MANY 3000
#define A_STEP 500

static void
say_many(struct peer *d)
{
	struct buf out = BUF_INIT;

	for (int i = 0; i < MANY; i++)
		buf_printf(&out,
			"<message from='d.example' to='x@c.example' id='%d'/>",
			i);
	peer_say(d, buf_c(&out));
	buf_done(&out);
	CHECK(!peer_has(d, "error"));
}

/* All come back, in order, and so many at a time. */
static void
check_many(struct peer *d, const char *cond)
{
	size_t n, steps = 0;

	for (n = 0; n < MANY; steps++) {
		size_t now = times(d, cond);

		CHECK(now <= n + A_STEP);
		n = now;
		world_advance(d->world, 10 * US_PER_MS);
	}
	CHECK(steps >= MANY / A_STEP && steps <= MANY / A_STEP + 2);
	for (int i = 0; i < MANY; i++) {
		char id[24];

		snprintf(id, sizeof(id), "id=\"%d\"", i);
		CHECK_INT(times(d, id), 1);
	}
	CHECK(strstr(buf_c(&d->got), "id=\"9\"") <
		strstr(buf_c(&d->got), "id=\"2999\""));
	CHECK_INT(times(d, "<message"), MANY);
}

TEST(many_that_have_waited_go_back_some_at_a_time)
{
	static const char *const reloads[] = { NULL,
		"shards: 3\nhosts: { example.org: {} }\n"
		"storage: { driver: memory }\n"
		"components: { d.example: { secret: s } }" };

	for (size_t i = 0; i < COUNT(reloads); i++) {
		struct peer d;
		struct world w;

		world_init(&w, SHARDS, COMPONENTS(", queue_bytes: 64MiB, "
			"queue_stanzas: 1000000, queue_time: 10s"), "");
		component_login(&d, &w, 1, OPEN("d.example"), "");
		say_many(&d);
		if (reloads[i] != NULL)
			world_reload(&w, reloads[i]);
		else
			world_advance(&w, 10 * US_PER_S - 10 * US_PER_MS);
		check_many(&d, reloads[i] != NULL ? "item-not-found" :
						    "remote-server-timeout");
		world_advance(&w, 120 * US_PER_S);
		CHECK(component_at(&w, "c.example") == NULL);
		peer_done(&d);
		world_done(&w);
	}
}

/* A reload makes a host of it, and a component again. */
TEST(a_reload_takes_a_component_away_with_its_stream)
{
	struct peer romeo, c;
	struct world w;

	world_init(&w, SHARDS, COMPONENTS(", queue_bytes: 1MiB"), "");
	romeo_login(&romeo, &w);
	peer_say(&romeo, "<message to='x@c.example' id='kept'/>");
	CHECK(!peer_has(&romeo, "error"));
	world_reload(&w, "shards: 3\nhosts: { example.org: {}, c.example: {} }\n"
			 "storage: { driver: memory }\n"
			 "components: { d.example: { secret: s } }");
	CHECK(peer_has(&romeo, "item-not-found"));
	/* nobody is in the way of the host that has the domain now */
	CHECK(component_at(&w, "c.example") == NULL);
	peer_open_at(&c, &w, 0, comp_kinds);
	peer_say(&c, OPEN("c.example"));
	CHECK(peer_has(&c, "host-unknown"));
	peer_done(&c);
	component_login(&c, &w, 2, OPEN("d.example"), "");
	CHECK(peer_has(&c, "<handshake/>"));
	world_reload(&w, "shards: 3\nhosts: { example.org: {}, d.example: {} }\n"
			 "storage: { driver: memory }\n"
			 "components: { c.example: { secret: s } }");
	CHECK(peer_has(&c, "host-gone") && c.closed);
	peer_done(&c);
	component_login(&c, &w, 1, OPEN("c.example"), "");
	CHECK(peer_has(&c, "<handshake/>"));
	peer_done(&c);
	peer_done(&romeo);
	world_done(&w);
}

/* --- at random ------------------------------------------------------------------- */

#define SEEDS 60
#define STEPS 150
#define SENDERS 2
#define LINKS 4

struct play {
	struct world w;
	struct rand_seeded rand;
	struct peer senders[SENDERS];
	struct peer links[LINKS];
	bool open[LINKS], slow[LINKS];
	int sent[SENDERS], seen[SENDERS]; /* the highest number */
	int delivered[SENDERS], refused[SENDERS];
	bool may_be_slow;
	bool may_lose; /* one has gone that had not taken all */
};

static unsigned
draw(struct play *p, unsigned below)
{
	return (unsigned)rand_below(&p->rand.source, below);
}

/* Each number once, and none before a lower one that comes at all: what waits for
 * one who goes is before what is sent later. */
static void
links_read(struct play *p)
{
	for (int k = 0; k < LINKS; k++) {
		struct str got = buf_str(&p->links[k].got);
		struct str head;

		while (p->open[k] && got.n != 0) {
			int sender, number;

			if (!str_cut(got, '>', &head, &got))
				break;
			if (memmem(head.p, head.n, " id=\"m", 6) == NULL)
				continue;
			CHECK_INT(sscanf((char *)memmem(head.p, head.n,
						 " id=\"m", 6),
					  " id=\"m%d-%d", &sender, &number),
				2);
			CHECK(number > p->seen[sender]);
			p->seen[sender] = number;
			p->delivered[sender]++;
		}
		p->links[k].got.n = 0;
	}
}

static void
senders_read(struct play *p)
{
	for (int i = 0; i < SENDERS; i++)
		p->refused[i] += (int)times(&p->senders[i], "<error ");
	for (int i = 0; i < SENDERS; i++)
		p->senders[i].got.n = 0;
}

static void
link_close(struct play *p, int k)
{
	if (!p->open[k])
		return;
	p->may_lose = p->may_lose || p->slow[k];
	links_read(p);
	peer_done(&p->links[k]);
	p->open[k] = false;
}

/* It replaces the others, which do not take what they had been written before. */
static void
link_open(struct play *p, int k)
{
	link_close(p, k);
	for (int i = 0; i < LINKS; i++)
		p->may_lose = p->may_lose || (p->open[i] && p->slow[i]);
	component_login(&p->links[k], &p->w, draw(p, SHARDS),
		OPEN("c.example"), "");
	p->open[k] = true;
	p->slow[k] = false;
}

static void
play_step(struct play *p)
{
	int k = (int)draw(p, LINKS), who = (int)draw(p, SENDERS);
	struct buf out = BUF_INIT;

	switch (draw(p, 8)) {
	case 0:
		link_open(p, k);
		break;
	case 1:
		link_close(p, k);
		break;
	case 2:
		if (p->may_be_slow && p->open[k] && !p->links[k].closed) {
			p->slow[k] = !p->slow[k];
			conn_mem_take(p->links[k].conn,
				p->slow[k] ? 0 : SIZE_MAX);
			world_settle(&p->w);
		}
		break;
	default:
		buf_printf(&out, "<message type='chat' to='x%d@c.example' "
				 "id='m%d-%d'><body>%*s</body></message>",
			(int)draw(p, 3), who, ++p->sent[who],
			(int)draw(p, KIB(30)) + 1, "x");
		links_read(p);
		senders_read(p);
		/* what it gets now is read with the others */
		conn_mem_feed(p->senders[who].conn, out.p, out.n);
		world_advance(&p->w, US_PER_S);
	}
	buf_done(&out);
	links_read(p);
	senders_read(p);
}

static void
play_seed(uint64_t seed, const char *options)
{
	struct buf more = BUF_INIT;
	struct play p = { .may_be_slow = seed % 4 < 2 };

	buf_printf(&more,
		"limits: { write_queue_bytes: 64KiB, write_queue_max_bytes: "
		"512KiB, bytes_per_second: 1GiB, bytes_burst: 1GiB }\n"
		"components: { c.example: { secret: s%s } }",
		options);
	rand_seeded_init(&p.rand, seed);
	world_init(&p.w, SHARDS, buf_c(&more), "");
	romeo_login_as(&p.senders[0], &p.w, BIND("a"));
	romeo_login_as(&p.senders[1], &p.w, BIND("b"));
	for (int i = 0; i < STEPS; i++)
		play_step(&p);
	for (int k = 0; k < LINKS; k++)
		link_close(&p, k);
	world_advance(&p.w, 10 * US_PER_S);
	senders_read(&p);
	for (int i = 0; i < SENDERS; i++) {
		int known = p.delivered[i] + p.refused[i];

		CHECK(known <= p.sent[i]);
		CHECK(p.may_lose || known == p.sent[i]);
		peer_done(&p.senders[i]);
	}
	world_done(&p.w);
	buf_done(&more);
}

TEST(each_message_comes_or_goes_back_once)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		char text[32];

		snprintf(text, sizeof(text), "seed %d", (int)seed);
		TEST_CASE(text);
		play_seed(seed, seed % 2 == 0 ?
			", queue_bytes: 100KiB, queue_time: 5s" : "");
	}
}

TEST_MAIN
