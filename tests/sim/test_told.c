/*
 * test_told.c - what is asked of accounts from all shards at once
 * (core/entity_message.h): everybody is answered, where he has asked and after
 * he has, and what is answered is what has happened.
 */
#include "config.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "store/store.h"
#include "core/entity_message.h"
#include "core/question.h"
#include "account/account.h"
#include "../peek.h"
#include "unit/test.h"
#include "world.h"

#define SHARDS 4
#define MANY 300
#define NAME "romeo@" WORLD_HOST

struct asked {
	struct shard *from;
	bool returned; /* the call */
	unsigned answers;
	bool ok;
	enum err_code why;
};

static void
on_answer(void *arg, bool ok, const struct err *err)
{
	struct asked *q = arg;

	CHECK(q->returned);
	CHECK(shard_current() == NULL || shard_current() == q->from);
	q->answers++;
	q->ok = ok;
	q->why = ok ? ERR_NONE : err->code;
}

enum act { CREATE, PASSWORD, REMOVE, KICK, TRACE, ACTS };

static void
ask(struct asked *q, struct world *w, enum act act, unsigned from,
	const char *bare)
{
	struct jid jid = jid_trusted(str_c(bare));
	struct shard *sh = w->server->shards[from];

	*q = (struct asked){ .from = sh };
	switch (act) {
	case CREATE:
		account_create(sh, jid, STR("created"), on_answer, q);
		break;
	case PASSWORD:
		account_set_credentials(sh, jid, STR("changed"), STR_NONE,
			on_answer, q);
		break;
	case REMOVE:
		account_remove(sh, jid, on_answer, q);
		break;
	case KICK:
		account_kick(sh, jid, STR_NONE, "go", on_answer, q);
		break;
	case TRACE:
	case ACTS:
		account_trace(sh, jid, true, on_answer, q);
		break;
	}
	q->returned = true;
}

static void
turn_shards(struct world *w)
{
	for (unsigned i = 0; i < 64; i++)
		shard_turn(w->server->shards[i % w->n_shards]);
}

static struct world *
world_of(uint64_t seed, const char *conf)
{
	return world_new(seed, SHARDS, TEST_MODULE_DIR, conf);
}

/* --- what is stored ----------------------------------------------------------- */

static void
on_text(void *arg, struct str text, const struct err *err)
{
	CHECK(err == NULL);
	buf_printf(arg, "%.*s", STR_ARG(text));
}

/* "": there is no such account. */
static const char *
stored(struct world *w, const char *bare, struct buf *out)
{
	buf_consume(out, out->n);
	account_credentials(w->server->shards[0], jid_trusted(str_c(bare)),
		on_text, out);
	world_settle(w);
	return buf_c(out);
}

static void
check_memory(struct world *w)
{
	struct buf out = BUF_INIT;

	if (!world_memory_is_disk(w, &out))
		print_error("%s", buf_c(&out));
	CHECK(out.n == 0);
	buf_done(&out);
}

/* --- answers ------------------------------------------------------------------ */

TEST(who_asks_is_answered_on_his_own_shard_after_he_has_asked)
{
	struct world *w = world_of(1, "");
	struct asked q[SHARDS][ACTS];
	const char *owner = NAME;

	for (unsigned i = 0; i < SHARDS; i++)
		for (unsigned act = 0; act < ACTS; act++)
			ask(&q[i][act], w, (enum act)act, i, owner);
	world_settle(w);
	for (unsigned i = 0; i < SHARDS; i++)
		for (unsigned act = 0; act < ACTS; act++)
			CHECK_INT(q[i][act].answers, 1);
	check_memory(w);
	world_free(w);
}

TEST(of_those_who_create_an_account_at_the_same_time_one_succeeds)
{
	for (uint64_t seed = 0; seed < 50; seed++) {
		struct world *w = world_of(seed, "");
		struct asked q[SHARDS * 2];
		struct buf text = BUF_INIT;
		unsigned made = 0;

		test_case_number("seed", (unsigned)seed);
		for (unsigned i = 0; i < COUNT(q); i++)
			ask(&q[i], w, CREATE, i % SHARDS, NAME);
		world_settle(w);
		for (unsigned i = 0; i < COUNT(q); i++) {
			CHECK_INT(q[i].answers, 1);
			CHECK_INT(q[i].why,
				q[i].ok ? ERR_NONE : ERR_CONFLICT);
			made += q[i].ok;
		}
		CHECK_INT(made, 1);
		CHECK_CSTR(stored(w, NAME, &text), "created");
		check_memory(w);
		buf_done(&text);
		world_free(w);
	}
}

/* --- as if one after the other ------------------------------------------------ */

static const unsigned orders[][3] = { { CREATE, PASSWORD, REMOVE },
	{ CREATE, REMOVE, PASSWORD }, { PASSWORD, CREATE, REMOVE },
	{ PASSWORD, REMOVE, CREATE }, { REMOVE, CREATE, PASSWORD },
	{ REMOVE, PASSWORD, CREATE } };

/* What act would do to an account with these credentials ("": none). */
static bool
act_on(unsigned act, const char **text_io)
{
	bool exists = (*text_io)[0] != '\0';

	if (exists == (act == CREATE))
		return false;
	*text_io = act == CREATE ? "created" :
		act == REMOVE	 ? "" :
				   "changed";
	return true;
}

/* Is there an order in which they would all have been answered so? */
static bool
could_be(const char *before, const struct asked *by_act, const char *after)
{
	for (size_t i = 0; i < COUNT(orders); i++) {
		const char *text = before;
		bool same = true;

		for (size_t j = 0; j < 3; j++)
			same = act_on(orders[i][j], &text) ==
					by_act[orders[i][j]].ok && same;
		if (same && strcmp(text, after) == 0)
			return true;
	}
	return false;
}

static void
check_order(uint64_t seed, const unsigned *order, bool exists, bool one_asks)
{
	struct world *w = world_of(seed, "");
	struct asked before, q[3];
	struct buf text = BUF_INIT;

	if (exists)
		ask(&before, w, CREATE, 0, NAME);
	world_settle(w);
	for (unsigned i = 0; i < 3; i++)
		ask(&q[order[i]], w, (enum act)order[i],
			one_asks ? 2 : (unsigned)world_draw(w, SHARDS), NAME);
	world_settle(w);
	for (unsigned i = 0; i < 3; i++)
		CHECK_INT(q[i].answers, 1);
	CHECK(could_be(exists ? "created" : "", q, stored(w, NAME, &text)));
	check_memory(w);
	buf_done(&text);
	world_free(w);
}

TEST(creating_changing_and_removing_at_once_is_as_if_in_some_order)
{
	for (uint64_t seed = 0; seed < 10; seed++) {
		for (size_t i = 0; i < COUNT(orders); i++) {
			test_case_number("seed and order",
				(unsigned)(seed * 10 + i));
			for (int how = 0; how < 4; how++)
				check_order(seed, orders[i], how & 1, how & 2);
		}
	}
}

/* The removal that it waits behind is durable when it is looked at. */
TEST(what_is_asked_behind_a_removal_finds_the_account_gone)
{
	struct world *w = world_of(3, "");
	struct asked made, q[4];
	struct buf text = BUF_INIT;

	ask(&made, w, CREATE, 0, NAME);
	world_settle(w);
	ask(&q[0], w, REMOVE, 1, NAME);
	ask(&q[1], w, REMOVE, 1, NAME);
	ask(&q[2], w, PASSWORD, 1, NAME);
	ask(&q[3], w, CREATE, 1, NAME);
	turn_shards(w);
	for (unsigned i = 0; i < COUNT(q); i++)
		CHECK_INT(q[i].answers, 0);
	world_settle(w);
	CHECK(q[0].ok && q[3].ok);
	CHECK_INT(q[1].why, ERR_MISSING);
	CHECK_INT(q[2].why, ERR_MISSING);
	CHECK_CSTR(stored(w, NAME, &text), "created");
	check_memory(w);
	buf_done(&text);
	world_free(w);
}

/* --- many --------------------------------------------------------------------- */

struct faults {
	struct world *world;
	bool on;
};

static bool
on_disk(void *arg, bool writes)
{
	struct faults *f = arg;

	return f->on && writes && world_draw(f->world, 4) == 0;
}

static void
check_many(uint64_t seed, unsigned n, bool shaky)
{
	struct world *w = world_of(seed, "");
	struct faults faults = { w, shaky };
	struct asked *q = xcalloc(n + 1, sizeof(*q));
	struct buf text = BUF_INIT;
	unsigned acts[MANY + 1];
	int there = 0;

	store_fail_when(w->server->store, on_disk, &faults);
	for (unsigned i = 0; i < n; i++) {
		acts[i] = (unsigned)world_draw(w, ACTS);
		ask(&q[i], w, (enum act)acts[i],
			(unsigned)world_draw(w, SHARDS), NAME);
		while (world_draw(w, 3) == 0)
			world_turn(w);
	}
	world_settle(w);
	faults.on = false;
	for (unsigned i = 0; i < n; i++) {
		CHECK_INT(q[i].answers, 1);
		if (q[i].ok && acts[i] == CREATE)
			there++;
		if (q[i].ok && acts[i] == REMOVE)
			there--;
	}
	CHECK_INT(stored(w, NAME, &text)[0] != '\0', there);
	check_memory(w);
	buf_done(&text);
	free(q);
	world_free(w);
}

TEST(many_at_once_are_answered_each_once)
{
	for (unsigned n = 0; n <= MANY; n += n < 20 ? 1 : 35) {
		test_case_number("n", n);
		check_many(n, n, false);
		check_many(n, n, true);
	}
}

/* --- refusals ----------------------------------------------------------------- */

TEST(a_domain_that_is_not_served_has_no_accounts)
{
	struct world *w = world_of(4, "");
	struct asked q[ACTS];

	for (unsigned i = 0; i < ACTS; i++)
		ask(&q[i], w, (enum act)i, i % SHARDS, "romeo@x.example");
	world_settle(w);
	for (unsigned i = 0; i < ACTS; i++) {
		CHECK_INT(q[i].answers, 1);
		CHECK_INT(q[i].why, ERR_MISSING);
	}
	world_free(w);
}

static bool
all_fails(void *arg, bool writes)
{
	(void)writes;
	return *(bool *)arg;
}

TEST(an_account_that_cannot_be_read_or_written_answers_so)
{
	struct world *w = world_of(5, "");
	bool fails = true;
	struct asked q[ACTS];

	store_fail_when(w->server->store, all_fails, &fails);
	for (unsigned i = 0; i < ACTS; i++)
		ask(&q[i], w, (enum act)i, i % SHARDS, NAME);
	world_settle(w);
	for (unsigned i = 0; i < ACTS; i++) {
		CHECK_INT(q[i].answers, 1);
		CHECK_INT(q[i].why, ERR_STORAGE);
	}
	fails = false;
	ask(&q[0], w, CREATE, 0, NAME);
	world_settle(w);
	CHECK(q[0].ok);
	world_free(w);
}

/* Those that are being read cannot make room. */
TEST(where_there_is_no_room_for_an_account_the_answer_says_so)
{
	struct world *w = world_new(6, 1, TEST_MODULE_DIR,
		"limits: { entities: 10 }\n");
	struct asked q[20];
	unsigned refused = 0;
	char bare[64];

	for (unsigned i = 0; i < COUNT(q); i++) {
		snprintf(bare, sizeof(bare), "u%u@" WORLD_HOST, i);
		ask(&q[i], w, CREATE, 0, bare);
	}
	turn_shards(w);
	for (unsigned i = 0; i < COUNT(q); i++)
		refused += q[i].answers == 1 && q[i].why == ERR_LIMIT;
	CHECK_INT(refused, COUNT(q) - 11);
	world_settle(w);
	for (unsigned i = 0; i < COUNT(q); i++) {
		CHECK_INT(q[i].answers, 1);
		CHECK(q[i].ok == (i < 11));
	}
	world_free(w);
}

TEST(who_asks_more_than_may_be_open_is_told_and_the_others_are_answered)
{
	const unsigned n = QUESTIONS_MAX + 10;
	struct world *w = world_of(7, "");
	struct asked *q = xcalloc(n, sizeof(*q));
	unsigned refused = 0;
	char bare[64];

	for (unsigned i = 0; i < n; i++) {
		snprintf(bare, sizeof(bare), "u%u@" WORLD_HOST, i % 200);
		ask(&q[i], w, KICK, 3, bare);
	}
	world_settle(w);
	for (unsigned i = 0; i < n; i++) {
		CHECK_INT(q[i].answers, 1);
		refused += q[i].why == ERR_LIMIT;
		CHECK(q[i].why == ERR_LIMIT || q[i].why == ERR_MISSING);
	}
	CHECK_INT(refused, 10);
	ask(&q[0], w, KICK, 3, NAME);
	world_settle(w);
	CHECK_INT(q[0].why, ERR_MISSING);
	free(q);
	world_free(w);
}

/* --- the last wish ------------------------------------------------------------ */

#define TO_HOST " to='" WORLD_HOST "'"
#define CHANGE                                                                 \
	"<query xmlns='jabber:iq:register'><username>romeo</username>"         \
	"<password>another secret</password></query>"
#define FLEE "<query xmlns='jabber:iq:register'><remove/></query>"

static void
turn(struct client *c)
{
	for (int i = 0; i < 8; i++) {
		world_settle(c->world);
		client_read(c);
	}
}

/* RFC 6120 §4.4: what was sent before the end of the stream is done. */
static void
check_last_wish(const char *to, bool removes)
{
	struct world *w = world_of(10, "");
	struct buf before = BUF_INIT, after = BUF_INIT;
	struct client romeo;

	world_add_account(w, "romeo");
	stored(w, NAME, &before);
	client_init(&romeo, w, "romeo", "r");
	client_connect(&romeo);
	turn(&romeo);
	CHECK_INT(romeo.state, CLIENT_ONLINE);
	client_send(&romeo, "<iq type='set' id='x'%s>%s</iq></stream:stream>",
		to, removes ? FLEE : CHANGE);
	turn(&romeo);
	stored(w, NAME, &after);
	if (removes)
		CHECK_CSTR(buf_c(&after), "");
	else
		CHECK(after.n != 0 && strcmp(buf_c(&before), buf_c(&after)));
	check_memory(w);
	client_done(&romeo);
	buf_done(&before);
	buf_done(&after);
	world_free(w);
}

TEST(what_a_session_asks_of_its_account_is_done_though_it_has_ended)
{
	check_last_wish("", true);
	check_last_wish(TO_HOST, true);
	check_last_wish(" to='" NAME "'", true);
	check_last_wish("", false);
	check_last_wish(TO_HOST, false);
	check_last_wish(" to='" NAME "'", false);
}

/* --- the end ------------------------------------------------------------------ */

/* Whoever waits for an account that is held when the server stops is answered,
 * on shards that are there. */
TEST(who_waits_when_the_server_stops_is_answered)
{
	for (unsigned owner = 0; owner < SHARDS; owner++) {
		struct world *w = world_of(8, "");
		struct asked made, q[SHARDS];
		char bare[64];
		struct shard *sh;

		for (unsigned i = 0;; i++) {
			snprintf(bare, sizeof(bare), "u%u@" WORLD_HOST, i);
			sh = peek_owner(w->server, str_c(bare));
			if (sh->index == owner)
				break;
		}
		ask(&made, w, CREATE, 0, bare);
		world_settle(w);
		CHECK(made.ok);
		account_hold(account_of(entity_find(sh, str_c(bare))));
		for (unsigned i = 0; i < SHARDS; i++)
			ask(&q[i], w, REMOVE, i, bare);
		world_settle(w);
		for (unsigned i = 0; i < SHARDS; i++)
			CHECK_INT(q[i].answers, 0);
		world_free(w);
		for (unsigned i = 0; i < SHARDS; i++) {
			CHECK_INT(q[i].answers, 1);
			CHECK_INT(q[i].why, ERR_STORAGE);
		}
	}
}

/* --- who is found again ------------------------------------------------------ */

TEST(a_reference_leads_to_no_other_one_at_that_address)
{
	struct world *w = world_new(1, 1, TEST_MODULE_DIR, "");
	struct shard *sh = w->server->shards[0];
	struct entity_ref refs[300];

	world_add_account(w, "romeo");
	for (unsigned n = 0; n <= COUNT(refs); n += n / 2 + 1) {
		for (unsigned i = 0; i < n; i++) {
			struct entity *e =
				account_get(sh, jid_trusted(STR(NAME)), NULL);

			world_settle(w);
			entity_ref(&refs[i], e);
			/* every third is another one at the same address */
			if (i % 3 == 2)
				entity_drop(e);
		}
		CHECK_INT(sh->refs.n, n);
		for (unsigned i = 0; i < n; i++) {
			struct entity *e = entity_find(sh, STR(NAME));

			CHECK(entity_ref_end(&refs[i]) ==
				(i >= n - n % 3 ? e : NULL));
		}
		CHECK_INT(sh->refs.n, 0);
	}
	world_free(w);
}

/* --- room in memory --------------------------------------------------------- */

struct crowd {
	struct world *w;
	unsigned called;
};

/* So many others that all who are idle have to leave. */
static void
on_crowd(struct entity *e, void *arg)
{
	struct crowd *crowd = arg;
	struct jid jid = e->jid;
	char bare[64];

	crowd->called++;
	for (unsigned i = 0; i < MANY; i++) {
		struct jid other;

		snprintf(bare, sizeof(bare), "n%u@" WORLD_HOST, i);
		other = jid_trusted(str_c(bare));
		(void)entity_get(e->shard, e->class, other,
			server_hash(crowd->w->server, str_c(bare)));
	}
	CHECK(entity_find(e->shard, jid_str(jid)) == e);
}

TEST(who_is_told_something_does_not_make_room_for_others)
{
	struct world *w = world_new(1, 1, TEST_MODULE_DIR,
		"limits: { entities: 10 }\n");
	struct shard *sh = w->server->shards[0];
	struct crowd crowd = { w, 0 };
	struct entity *e;

	world_add_account(w, "romeo");
	for (unsigned i = 0; i < 3; i++) {
		e = account_get(sh, jid_trusted(STR(NAME)), NULL);
		CHECK(e != NULL);
		entity_when_loaded(e, on_crowd, &crowd);
		world_settle(w);
		CHECK_INT(crowd.called, i + 1);
	}
	world_free(w);
}

TEST_MAIN
