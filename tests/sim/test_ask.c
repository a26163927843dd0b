/*
 * test_ask.c - what the server asks itself: whatever is answered, by whom, how
 * often and when, whoever asked hears of it once, and of nothing that was said by
 * anybody else than whom he asked.
 */
#include "config.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "core/iq_ask.h"
#include "core/server.h"
#include "core/shard.h"
#include "module/module_int.h"
#include "server/server_reload.h"
#include "unit/test.h"
#include "world.h"
#include "xml/elem.h"

#define SEEDS 20
#define STEPS 400
#define NEVER_MS 3600000
#define CONF                                                                   \
	"modules: { testask: yes }\n"                                          \
	"limits: { stanzas_per_second: 100000, stanzas_burst: 100000, "        \
	"bytes_per_second: 1GiB, bytes_burst: 1GiB }\n"
#define PING "<ping xmlns='urn:xmpp:ping'/>"

/* What a session was asked. */
struct request {
	char id[64], from[64];
};

struct party;

struct person {
	struct client c;
	struct party *party;
	struct request got[STEPS + 8];
	unsigned n_got;
};

/* Juliet has the server ask Romeo, and Tybalt says what he was not asked. */
struct party {
	struct world *w;
	struct person juliet, romeo, tybalt;
	unsigned n; /* asked, by number */
	unsigned heard[STEPS + 8];
	char came[STEPS + 8][240];
};

static void
person_request(struct person *p, struct arena *a, const struct elem *e)
{
	struct request *r = &p->got[p->n_got++];

	CHECK(p->n_got <= COUNT(p->got));
	snprintf(r->id, sizeof(r->id), "%s", arena_str(a, elem_attr(e, "id")).p);
	snprintf(r->from, sizeof(r->from), "%s",
		arena_str(a, elem_attr(e, "from")).p);
}

/* Of what came in its answer, all its text. */
static void
person_answer(struct person *p, struct arena *a, const struct elem *e)
{
	const struct elem *ask = elem_child(e, NULL, "ask");
	const struct elem *payload =
		ask != NULL ? elem_child(ask, NULL, NULL) : NULL;
	struct party *party = p->party;
	unsigned n;

	if (sscanf(arena_str(a, elem_attr(e, "id")).p, "q%u", &n) != 1)
		return;
	CHECK(n < COUNT(party->heard));
	party->heard[n]++;
	if (ask == NULL)
		snprintf(party->came[n], sizeof(party->came[n]), "refused");
	else if (payload != NULL)
		snprintf(party->came[n], sizeof(party->came[n]), "%.*s",
			STR_ARG(elem_text(a, payload)));
	else
		snprintf(party->came[n], sizeof(party->came[n]), "%s",
			arena_str(a, elem_attr(ask, "came")).p);
}

static void
on_stanza(struct client *c, struct arena *a, struct elem *e)
{
	struct person *p = c->user;
	struct str type = elem_attr(e, "type");

	if (str_is(e->name, "iq") && str_is(type, "get"))
		person_request(p, a, e);
	else if (str_is(e->name, "iq"))
		person_answer(p, a, e);
	arena_free(a);
}

static void
party_read(struct party *p)
{
	client_read(&p->juliet.c);
	client_read(&p->romeo.c);
	client_read(&p->tybalt.c);
}

static void
party_settle(struct party *p)
{
	for (int i = 0; i < 8; i++) {
		world_settle(p->w);
		party_read(p);
	}
}

static void
party_turns(struct party *p, uint64_t n)
{
	while (n-- > 0)
		world_turn(p->w);
	party_read(p);
}

static void
person_come(struct party *p, struct person *who, const char *local)
{
	world_add_account(p->w, local);
	client_init(&who->c, p->w, local, "r");
	who->party = p;
	who->c.on_stanza = on_stanza;
	who->c.user = who;
	client_connect(&who->c);
	party_settle(p);
	CHECK_INT(who->c.state, CLIENT_ONLINE);
}

static struct party *
party_new(uint64_t seed)
{
	struct party *p = xcalloc(1, sizeof(*p));

	p->w = world_new(seed, 3, TEST_MODULE_DIR, CONF);
	p->juliet.c.world = p->romeo.c.world = p->tybalt.c.world = p->w;
	person_come(p, &p->juliet, "juliet");
	person_come(p, &p->romeo, "romeo");
	person_come(p, &p->tybalt, "tybalt");
	return p;
}

static void
party_free(struct party *p)
{
	struct person *all[] = { &p->juliet, &p->romeo, &p->tybalt };

	for (size_t i = 0; i < COUNT(all); i++)
		client_leave(&all[i]->c);
	party_settle(p);
	for (size_t i = 0; i < COUNT(all); i++)
		client_done(&all[i]->c);
	world_free(p->w);
	free(p);
}

/* Has who asked, from itself, or from its host. */
static unsigned
party_ask(struct party *p, bool from_host, const char *whom, unsigned ms)
{
	client_send(&p->juliet.c,
		"<iq type='get' id='q%u' to='%s" WORLD_HOST "'>"
		"<ask xmlns='urn:antiphon:test:ask' to='%s' ms='%u'>" PING
		"</ask></iq>",
		p->n, from_host ? "" : "juliet@", whom, ms);
	return p->n++;
}

struct direct {
	struct party *party;
	unsigned n;
};

static void
on_direct(void *arg, const struct stanza *answer, const struct err *err)
{
	struct direct *d = arg;
	char *came = d->party->came[d->n];
	size_t room = sizeof(d->party->came[0]);

	CHECK((err == NULL) == (answer != NULL && answer->type == IQ_RESULT));
	d->party->heard[d->n]++;
	if (err != NULL)
		snprintf(came, room, "%s", err->text);
	else if (stanza_payload(answer) != NULL)
		snprintf(came, room, "%.*s",
			STR_ARG(elem_text(answer->arena,
				stanza_payload(answer))));
	free(d);
}

/* The same, without a client: a shard asks, as its host. */
static unsigned
party_ask_directly(struct party *p, unsigned shard, const char *whom, unsigned ms)
{
	struct direct *d = xmalloc(sizeof(*d));
	struct arena *a = arena_new();
	struct stanza *st;
	struct jid to;

	*d = (struct direct){ p, p->n };
	CHECK(jid_parse(&to, a, str_c(whom), NULL));
	st = stanza_new(IQ_GET, jid_make(a, STR_NONE, STR(WORLD_HOST), STR_NONE),
		to, STR_NONE);
	elem_add(st->arena, st->root, "urn:xmpp:ping", "ping");
	iq_ask(p->w->server->shards[shard], st, ms * US_PER_MS, on_direct, d);
	CHECK_INT(p->heard[p->n], 0);
	arena_free(a);
	return p->n++;
}

/* who says, with an id, what it may not have been asked. */
static void
person_say(struct person *who, const char *id, const char *to, const char *text)
{
	client_send(&who->c,
		"<iq type='result' id='%s' to='%s'><a xmlns='b'>%s</a></iq>",
		id, to, text);
}

static void
check_came(const struct party *p, unsigned n, const char *came)
{
	test_case_number("question", n);
	CHECK_INT(p->heard[n], 1);
	CHECK_STR(str_c(p->came[n]), came);
}

/* --- whom one asks, and what comes of it -------------------------------------- */

static const struct {
	const char *whom, *came;
} answers[] = {
	{ WORLD_HOST, "" },
	{ "romeo@" WORLD_HOST,
		"romeo@" WORLD_HOST ": service-unavailable" },
	{ "romeo@" WORLD_HOST "/away",
		"romeo@" WORLD_HOST "/away: service-unavailable" },
	{ "nobody@" WORLD_HOST, "nobody@" WORLD_HOST ": service-unavailable" },
	{ "elsewhere.example", "elsewhere.example: remote-server-not-found" },
	{ "x@elsewhere.example/y",
		"x@elsewhere.example/y: remote-server-not-found" },
};

TEST(whoever_answers_for_an_address_is_heard)
{
	struct party *p = party_new(1);
	unsigned n;

	for (unsigned i = 0; i < 2 * COUNT(answers); i++)
		party_ask(p, i % 2 == 0, answers[i / 2].whom, NEVER_MS);
	party_settle(p);
	for (unsigned i = 0; i < 2 * COUNT(answers); i++)
		check_came(p, i, answers[i / 2].came);
	/* an account may ask itself, of which it is the owner */
	n = party_ask(p, false, "juliet@" WORLD_HOST, NEVER_MS);
	party_settle(p);
	check_came(p, n, "");
	party_free(p);
}

static void
check_answers(unsigned n)
{
	struct party *p = party_new(n + 1);

	for (unsigned i = 0; i < n; i++)
		party_ask_directly(p, i % 3, "romeo@" WORLD_HOST "/r", NEVER_MS);
	party_settle(p);
	CHECK_INT(p->romeo.n_got, n);
	for (unsigned i = n; i-- > 0;) {
		CHECK_STR(str_c(p->romeo.got[i].from), WORLD_HOST);
		person_say(&p->romeo, p->romeo.got[i].id, WORLD_HOST, "here");
	}
	party_settle(p);
	for (unsigned i = 0; i < n; i++)
		check_came(p, i, "here");
	CHECK_INT(p->juliet.n_got + p->tybalt.n_got, 0);
	party_free(p);
}

TEST(a_session_is_asked_and_its_answer_goes_no_further)
{
	for (unsigned n = 0; n <= 300; n += n < 20 ? 1 : 70)
		check_answers(n);
}

/* --- who may answer -------------------------------------------------------------- */

TEST(an_answer_counts_from_whom_was_asked_alone)
{
	struct party *p = party_new(3);
	const struct request *r = &p->romeo.got[0];
	char other[64];

	party_ask(p, true, "romeo@" WORLD_HOST "/r", NEVER_MS);
	party_settle(p);
	CHECK_INT(p->romeo.n_got, 1);
	/* the id of one who was not asked */
	person_say(&p->tybalt, r->id, WORLD_HOST, "tybalt");
	/* ids that differ in one letter: of the secret, the place, the number */
	for (size_t i = 0; i < strlen(r->id); i++) {
		snprintf(other, sizeof(other), "%s", r->id);
		other[i] = other[i] == '1' ? '2' : '1';
		person_say(&p->romeo, other, WORLD_HOST, "guessed");
	}
	person_say(&p->romeo, "", WORLD_HOST, "guessed");
	party_settle(p);
	CHECK_INT(p->heard[0], 0);
	person_say(&p->romeo, r->id, WORLD_HOST, "romeo");
	person_say(&p->romeo, r->id, WORLD_HOST, "again");
	party_settle(p);
	check_came(p, 0, "romeo");
	party_free(p);
}

/* --- when ------------------------------------------------------------------------ */

TEST(who_does_not_answer_in_time_is_not_waited_for)
{
	struct party *p = party_new(4);

	party_ask(p, true, "romeo@" WORLD_HOST "/r", 1000);
	party_ask(p, false, "juliet@" WORLD_HOST "/r", NEVER_MS);
	party_settle(p);
	world_sleep(p->w, 900 * US_PER_MS);
	party_settle(p);
	CHECK_INT(p->heard[0], 0);
	world_sleep(p->w, 200 * US_PER_MS);
	party_settle(p);
	check_came(p, 0, "timeout");
	person_say(&p->romeo, p->romeo.got[0].id, WORLD_HOST, "late");
	person_say(&p->juliet, p->juliet.got[0].id, "juliet@" WORLD_HOST,
		"in time");
	party_settle(p);
	check_came(p, 0, "timeout");
	check_came(p, 1, "in time");
	/* the module looks that nobody waits when the server has ended */
	party_ask(p, true, "romeo@" WORLD_HOST "/r", NEVER_MS);
	party_settle(p);
	CHECK_INT(p->romeo.n_got, 2);
	party_free(p);
}

static void
on_many(void *arg, const struct stanza *answer, const struct err *err)
{
	unsigned *codes = arg;

	CHECK(answer == NULL && err != NULL);
	codes[err->code]++;
}

static void
drop(struct client *c, struct arena *a, struct elem *e)
{
	(void)c;
	(void)e;
	arena_free(a);
}

TEST(so_many_are_open_and_no_more)
{
	struct party *p = party_new(5);
	struct shard *sh = p->w->server->shards[1];
	unsigned codes[ERR_TIMEOUT + 1] = { 0 };
	struct arena *a = arena_new();
	struct jid host = jid_make(a, STR_NONE, STR(WORLD_HOST), STR_NONE);
	struct jid romeo = jid_make(a, STR("romeo"), STR(WORLD_HOST), STR("r"));

	p->romeo.c.on_stanza = drop;
	for (unsigned i = 0; i < IQ_ASKS_MAX + 3; i++) {
		struct stanza *st = stanza_new(IQ_GET, host, romeo, STR_NONE);

		elem_add(st->arena, st->root, "urn:xmpp:ping", "ping");
		iq_ask(sh, st, US_PER_S, on_many, codes);
		CHECK_INT(codes[ERR_LIMIT], 0);
	}
	shard_turn(sh);
	CHECK_INT(codes[ERR_LIMIT], 3);
	clock_manual_advance(&p->w->clock, 2 * US_PER_S);
	shard_turn(sh);
	CHECK_INT(codes[ERR_TIMEOUT], IQ_ASKS_MAX);
	CHECK_INT(sh->iq_asks, 0);
	arena_free(a);
	party_free(p);
}

/* --- in any order ------------------------------------------------------------------ */

static void
module_switch(struct world *w, bool on)
{
	struct server *srv = w->server;

	server_switch_module(srv, STR("testask"), on, NULL, NULL);
}

static void
random_say(struct party *p)
{
	struct person *asked =
		world_draw(p->w, 2) == 0 ? &p->romeo : &p->juliet;
	const struct request *r;

	if (asked->n_got == 0)
		return;
	r = &asked->got[world_draw(p->w, asked->n_got)];
	if (world_draw(p->w, 4) == 0)
		person_say(&p->tybalt, r->id, r->from, "tybalt");
	else if (world_draw(p->w, 4) == 0)
		person_say(asked, r->id, WORLD_HOST, "asked");
	else
		person_say(asked, r->id, r->from, "asked");
}

static void
random_step(struct party *p)
{
	static const char *const whom[] = { WORLD_HOST,
		"romeo@" WORLD_HOST "/r", "romeo@" WORLD_HOST "/away",
		"juliet@" WORLD_HOST "/r", "elsewhere.example" };

	switch (world_draw(p->w, 8)) {
	case 0:
		module_switch(p->w, world_draw(p->w, 4) != 0);
		break;
	case 1:
		world_sleep(p->w, US_PER_S);
		break;
	case 2:
	case 3:
	case 4:
		random_say(p);
		break;
	case 5:
		party_ask(p, world_draw(p->w, 2) == 0,
			whom[world_draw(p->w, COUNT(whom))],
			1 + (unsigned)world_draw(p->w, 500));
		break;
	default:
		party_ask_directly(p, (unsigned)world_draw(p->w, 3),
			whom[world_draw(p->w, COUNT(whom))],
			1 + (unsigned)world_draw(p->w, 10000));
	}
	party_turns(p, world_draw(p->w, 20));
}

static void
random_run(uint64_t seed)
{
	struct party *p = party_new(seed);

	for (unsigned i = 0; i < STEPS; i++)
		random_step(p);
	for (unsigned i = 0; i < 60; i++) {
		party_settle(p);
		world_sleep(p->w, US_PER_S);
	}
	party_settle(p);
	for (unsigned i = 0; i < p->n; i++) {
		test_case_number("question", i);
		CHECK_INT(p->heard[i], 1);
		CHECK(strcmp(p->came[i], "tybalt") != 0);
		CHECK(strcmp(p->came[i], "what is not documented") != 0);
	}
	for (unsigned i = 0; i < p->w->n_shards; i++)
		CHECK_INT(p->w->server->shards[i]->iq_asks, 0);
	party_free(p);
}

TEST(each_question_is_answered_once_in_whatever_order)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		random_run(seed);
}

TEST_MAIN
