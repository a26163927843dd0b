/*
 * test_block.c - a user blocks another and unblocks him, from two devices and at any
 * moment, while both talk and say where they are (XEP-0191).
 *
 * Whatever the order of turns: each message arrives, or comes back, once; who was
 * blocked, or not, for all of its way knows which; what arrives is in order, and the
 * same at both devices.  In the end both see of each other what there is to see.  And
 * what one row means that stands for a whole roster.
 */
#include "config.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "net/conn.h"
#include "store/store.h"
#include "core/server.h"
#include "core/shard.h"
#include "unit/test.h"
#include "trouble.h"
#include "witness.h"
#include "world.h"

#define SEEDS 150
#define STEPS 400
#define MOST 256
#define DEVICES 2 /* of romeo */

enum fate { UNDER_WAY, CAME, REFUSED };

/* Of one direction. */
struct said {
	unsigned n;
	enum fate fate[MOST];
	bool either[MOST];  /* whether he was blocked changed meanwhile */
	bool blocked[MOST]; /* else: he was */
};

struct play;

struct party {
	struct client c;
	struct play *play;
	unsigned last;      /* message that has come */
	unsigned n_came;
	bool sees[DEVICES]; /* juliet: of romeo; romeo: of juliet, the first */
};

struct play {
	struct world *w;
	struct party romeo[DEVICES], juliet;
	struct said in, out; /* as romeo sees it */
	bool blocked, changes;
};

static bool
is_romeo(const struct party *p)
{
	return p != &p->play->juliet;
}

/* --- what comes ------------------------------------------------------------------- */

/* The id is the number. */
static void
on_message(struct party *p, const struct elem *e, struct arena *a)
{
	struct said *to_me = is_romeo(p) ? &p->play->in : &p->play->out;
	struct said *of_me = is_romeo(p) ? &p->play->out : &p->play->in;
	unsigned number =
		(unsigned)atoi(arena_str(a, elem_attr(e, "id")).p);

	CHECK(number < MOST);
	if (str_is(elem_attr(e, "type"), "error")) {
		CHECK_INT(of_me->fate[number], UNDER_WAY);
		of_me->fate[number] = REFUSED;
		return;
	}
	CHECK(p->n_came == 0 || number > p->last);
	CHECK(to_me->fate[number] != REFUSED);
	p->last = number;
	p->n_came++;
	to_me->fate[number] = CAME;
}

static void
on_presence(struct party *p, const struct elem *e)
{
	struct str from = elem_attr(e, "from");
	bool there = elem_attr(e, "type").p == NULL;

	if (!there && !str_is(elem_attr(e, "type"), "unavailable"))
		return;
	for (int i = 0; !is_romeo(p) && i < DEVICES; i++) {
		char full[64];

		snprintf(full, sizeof(full), "romeo@" WORLD_HOST "/r%d", i);
		if (str_is(from, full))
			p->sees[i] = there;
	}
	if (is_romeo(p) && str_starts(from, STR("juliet@")))
		p->sees[0] = there;
}

/* What romeo saw of who is blocked now he has to be shown again. */
static void
on_changed(struct play *play)
{
	play->blocked = !play->blocked;
	play->changes = false;
	for (int i = 0; play->blocked && i < DEVICES; i++)
		play->romeo[i].sees[0] = false;
}

static void
on_stanza(struct client *c, struct arena *a, struct elem *e)
{
	struct party *p = c->user;

	if (str_is(e->name, "message"))
		on_message(p, e, a);
	else if (str_is(e->name, "presence"))
		on_presence(p, e);
	else if (str_is(elem_attr(e, "id"), "change")) {
		CHECK(str_is(elem_attr(e, "type"), "result"));
		on_changed(p->play);
	}
	arena_free(a);
}

static void
read_all(struct play *play)
{
	for (int i = 0; i < DEVICES; i++)
		client_read(&play->romeo[i].c);
	client_read(&play->juliet.c);
}

static void
settle(struct play *play)
{
	for (int i = 0; i < 8; i++) {
		world_settle(play->w);
		read_all(play);
	}
}

/* --- what they do ------------------------------------------------------------------ */

static void
all_are_either(struct said *s)
{
	for (unsigned i = 0; i < s->n; i++)
		s->either[i] |= s->fate[i] == UNDER_WAY;
}

static void
change(struct play *play, struct party *romeo)
{
	if (play->changes)
		return;
	play->changes = true;
	all_are_either(&play->in);
	all_are_either(&play->out);
	client_send(&romeo->c,
		"<iq type='set' id='change'><%s xmlns='" NS_BLOCKING
		"'><item jid='%s'/></%s></iq>",
		play->blocked ? "unblock" : "block", "juliet@" WORLD_HOST,
		play->blocked ? "unblock" : "block");
}

static void
say(struct play *play, struct said *s, struct party *p, const char *to)
{
	if (s->n == MOST)
		return;
	s->either[s->n] = play->changes;
	s->blocked[s->n] = play->blocked;
	client_send(&p->c, "<message type='chat' id='%u' to='%s'>"
		"<body>x</body></message>", s->n, to);
	s->n++;
}

static void
show(struct play *play, struct party *p)
{
	client_send(&p->c, "<presence><show>%s</show></presence>",
		world_draw(play->w, 2) != 0 ? "away" : "dnd");
}

/* Messages of romeo are those of his first device, for order is that of one. */
static void
step(struct play *play)
{
	struct party *romeo = &play->romeo[world_draw(play->w, DEVICES)];

	switch (world_draw(play->w, 12)) {
	case 0:
		change(play, romeo);
		break;
	case 1:
		say(play, &play->in, &play->juliet, "romeo@" WORLD_HOST);
		break;
	case 2:
		say(play, &play->out, &play->romeo[0],
			"juliet@" WORLD_HOST);
		break;
	case 3:
		show(play, romeo);
		break;
	case 4:
		show(play, &play->juliet);
		break;
	default:
		world_turn(play->w);
		read_all(play);
		break;
	}
}

/* --- what has to hold --------------------------------------------------------------- */

static unsigned
check_fates(const struct said *s)
{
	unsigned came = 0;

	for (unsigned i = 0; i < s->n; i++) {
		CHECK(s->fate[i] != UNDER_WAY);
		if (!s->either[i])
			CHECK_INT(s->fate[i], s->blocked[i] ? REFUSED : CAME);
		came += s->fate[i] == CAME;
	}
	return came;
}

static void
check_sight(const struct play *play)
{
	for (int i = 0; i < DEVICES; i++) {
		CHECK_INT(play->juliet.sees[i], !play->blocked);
		if (!play->blocked)
			CHECK(play->romeo[i].sees[0]);
	}
}

/* --- a play --------------------------------------------------------------------------- */

static void
come(struct play *play, struct party *p, const char *local, const char *resource)
{
	p->play = play;
	client_init(&p->c, play->w, local, resource);
	p->c.on_stanza = on_stanza;
	p->c.user = p;
	client_connect(&p->c);
	settle(play);
	CHECK(p->c.state == CLIENT_ONLINE);
}

static void
subscribe(struct play *play, struct party *who, struct party *to)
{
	client_send(&who->c, "<presence type='subscribe' to='%s@" WORLD_HOST "'/>",
		to->c.local);
	settle(play);
	client_send(&to->c, "<presence type='subscribed' to='%s@" WORLD_HOST "'/>",
		who->c.local);
	settle(play);
}

static void
begin(struct play *play, uint64_t seed)
{
	static const char conf[] = "modules: { archive: no, offline: no }\n";
	const char *resources[DEVICES] = { "r0", "r1" };

	*play = (struct play){ .w = world_new(seed, 3, TEST_MODULE_DIR, conf) };
	world_add_account(play->w, "romeo");
	world_add_account(play->w, "juliet");
	/* none of them reads before all are there */
	play->romeo[0].c.world = play->romeo[1].c.world = play->w;
	play->juliet.c.world = play->w;
	for (int i = 0; i < DEVICES; i++)
		come(play, &play->romeo[i], "romeo", resources[i]);
	come(play, &play->juliet, "juliet", "j");
	subscribe(play, &play->romeo[0], &play->juliet);
	subscribe(play, &play->juliet, &play->romeo[0]);
}

static void
end(struct play *play)
{
	unsigned in, out;

	settle(play);
	check_sight(play);
	in = check_fates(&play->in);
	out = check_fates(&play->out);
	for (int i = 0; i < DEVICES; i++)
		CHECK_INT(play->romeo[i].n_came, in);
	CHECK_INT(play->juliet.n_came, out);
	for (int i = 0; i < DEVICES; i++) {
		client_leave(&play->romeo[i].c);
		client_done(&play->romeo[i].c);
	}
	client_leave(&play->juliet.c);
	client_done(&play->juliet.c);
	world_settle(play->w);
	world_free(play->w);
}

TEST(who_is_blocked_at_any_moment)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct play play;

		begin(&play, seed);
		for (int i = 0; i < STEPS; i++)
			step(&play);
		end(&play);
	}
}

/* --- a session that goes meanwhile --------------------------------------------------- */

static void
start(struct play *play)
{
	begin(play, 1);
	settle(play);
	CHECK(play->juliet.sees[0] && play->juliet.sees[1]);
}

static void
blocked_and_then(struct play *play, const char *said)
{
	change(play, &play->romeo[0]);
	turn_shards(play->w);
	client_send(&play->romeo[1].c, "%s", said);
	turn_shards(play->w);
	settle(play);
	CHECK(play->blocked);
	CHECK(!play->juliet.sees[0] && !play->juliet.sees[1]);
}

/* What it says goes to nobody who is blocked, though he has not been told yet that he
 * sees nothing any more; so he is told of each session that he saw. */
TEST(a_session_that_goes_while_the_change_is_stored_is_seen_to_go)
{
	static const char *const ways[] = { "<presence type='unavailable'/>",
		"</stream:stream>",
		"<iq type='set' id='i'><invisible xmlns='" NS_INVISIBLE "'/></iq>" };

	for (size_t i = 0; i < COUNT(ways); i++) {
		struct play play;

		TEST_CASE(ways[i]);
		start(&play);
		blocked_and_then(&play, ways[i]);
		end(&play);
	}
}

/* Nobody else would say that it goes. */
TEST(one_who_was_shown_an_invisible_session_sees_it_go)
{
	struct play play;

	start(&play);
	client_send(&play.romeo[1].c, "<iq type='set' id='i'><invisible xmlns='"
		NS_INVISIBLE "'/></iq><presence to='juliet@" WORLD_HOST
		"'/>");
	settle(&play);
	CHECK(play.juliet.sees[1]);
	blocked_and_then(&play, "<iq type='set' id='i'><visible xmlns='"
		NS_INVISIBLE "'/></iq><presence/>");
	end(&play);
}

/* --- a disk that fails ---------------------------------------------------------------- */

#define ASKED 120

/* What was in force, and could not be stored, is not any more. */
TEST(who_is_blocked_in_memory_is_who_is_on_the_disk)
{
	trouble_quiet();
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct world *w = world_of_two(seed, TEST_MODULE_DIR, "");
		struct buf out = BUF_INIT;
		struct witness romeo;

		witness_start(&romeo, w, "romeo");
		trouble_disk(w);
		for (int i = 0; i < ASKED; i++) {
			const char *name =
				world_draw(w, 3) != 0 ? "block" : "unblock";

			client_send(&romeo.c, "<iq type='set' id='%d'><%s xmlns='"
				NS_BLOCKING "'><item jid='u%d@" WORLD_HOST
				"'/></%s></iq>", i, name,
				(int)world_draw(w, 20), name);
			for (uint64_t n = world_draw(w, 60); n > 0; n--)
				world_turn(w);
		}
		store_fail_when(w->server->store, NULL, NULL);
		witness_turn(&romeo);
		if (!world_memory_is_disk(w, &out))
			test_fail(__FILE__, __LINE__, "%s", buf_c(&out));
		CHECK(strstr(seen(&romeo), "! ") != NULL);
		buf_done(&out);
		witness_done(&romeo);
		world_free(w);
	}
}

/* --- a whole roster ------------------------------------------------------------------- */

#define OTHER "other.example"
#define CONTACTS 300
#define CROWD 6 /* devices of romeo */
#define PAIRS 20
/* What one change leads to for each contact, be it an answer that ends what he shows. */
#define EACH_BYTES 8192

static void
on_roster_written(void *arg, bool ok, const struct err *err)
{
	(void)err;
	*(bool *)arg = ok;
}

/* All of them see romeo; sub: or he sees them, too. */
static void
write_roster(struct world *w, const char *sub)
{
	const struct store_place at = { STR(WORLD_HOST), STR("romeo"),
		STR("roster") };
	struct store_tx *tx = store_tx_new();
	char who[40], value[160];
	bool ok = false;

	for (int i = 0; i < CONTACTS; i++) {
		snprintf(who, sizeof(who), "u%d@" OTHER, i);
		snprintf(value, sizeof(value),
			"<item xmlns='jabber:iq:roster' jid='%s' subscription='%s'/>",
			who, sub);
		store_tx_set(tx, at, str_c(who), str_c(value));
	}
	store_commit(w->server->store, tx, &w->server->shards[0]->mailbox,
		on_roster_written, &ok);
	world_settle(w);
	CHECK(ok);
	for (unsigned i = 0; i < w->n_shards; i++)
		shard_post(w->server->shards[i], trouble_read_anew, NULL, 0);
	world_settle(w);
}

static void
crowd_read(struct client *crowd)
{
	for (int i = 0; i < CROWD; i++)
		client_read(&crowd[i]);
}

/* c->user: how many answers have come. */
static void
on_crowd(struct client *c, struct arena *a, struct elem *e)
{
	unsigned *n = c->user;

	*n += str_is(elem_attr(e, "id"), "pair");
	arena_free(a);
}

static void
crowd_come(struct client *crowd, struct world *w, unsigned *answers)
{
	char resource[8];

	for (int i = 0; i < CROWD; i++) {
		snprintf(resource, sizeof(resource), "r%d", i);
		client_init(&crowd[i], w, "romeo", resource);
		crowd[i].on_stanza = on_crowd;
		crowd[i].user = answers;
		client_connect(&crowd[i]);
		for (int j = 0; j < 8; j++) {
			world_settle(w);
			client_read(&crowd[i]);
		}
		CHECK(crowd[i].state == CLIENT_ONLINE);
	}
}

/* The most that arenas take until all that is asked in one write is answered, and what
 * it has led to is over. */
static int64_t
peak_of_pairs(struct client *crowd, const unsigned *answers)
{
	static const char pair[] = "<iq type='set' id='pair'><block xmlns='"
		NS_BLOCKING "'><item jid='" OTHER "'/></block></iq>"
		"<iq type='set' id='pair'><unblock xmlns='" NS_BLOCKING
		"'/></iq>";
	int64_t before = memuse_sum(MEMUSE_ARENA).bytes, peak = 0;
	struct world *w = crowd[0].world;
	struct buf text = BUF_INIT;

	for (int i = 0; i < PAIRS; i++)
		buf_add_c(&text, pair);
	conn_mem_feed(crowd[0].conn, text.p, text.n);
	buf_done(&text);
	for (int i = 0; i < 100000 && *answers < 2 * PAIRS; i++) {
		if (i % 64 == 63)
			world_sleep(w, 20 * US_PER_MS);
		world_turn(w);
		peak = MAX(peak, memuse_sum(MEMUSE_ARENA).bytes - before);
		crowd_read(crowd);
	}
	CHECK_INT(*answers, 2 * PAIRS);
	return peak;
}

static void
many_by_one_row(const char *sub)
{
	static const struct world like = { .hosts = "  " WORLD_HOST
		": { auth: { tls_required: no } }\n  " OTHER ":\n" };
	struct world *w = world_new_like(1, 2, TEST_MODULE_DIR, "", false,
		&like);
	struct client crowd[CROWD];
	unsigned answers = 0;

	TEST_CASE(sub);
	world_add_account(w, "romeo");
	write_roster(w, sub);
	crowd_come(crowd, w, &answers);
	CHECK(peak_of_pairs(crowd, &answers) < CONTACTS * EACH_BYTES);
	for (int i = 0; i < CROWD; i++) {
		client_leave(&crowd[i]);
		client_done(&crowd[i]);
	}
	world_settle(w);
	world_free(w);
}

/* What is said of it is one presence of each session for all, as a broadcast is, and
 * not one for each contact; and who is asked, is for one change at a time. */
TEST(a_row_that_means_many_is_told_as_a_broadcast)
{
	many_by_one_row("from");
	many_by_one_row("both");
}

TEST_MAIN
