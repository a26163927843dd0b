/*
 * test_remote_random.c - streams to other servers that come up, take some, break,
 * fail and end in an order drawn from a seed: each stanza is written once, in the
 * order of its pair, or answered once; where streams count, each is acknowledged
 * once, or answered once, and what was not acknowledged is written again, in order,
 * if it is a message.
 *
 * Whoever sends is a component, whose link this file is: so it sees each answer.
 */
#include "config.h"

#include "remote/remote.h"

#include <stdio.h>

#include "base/mem.h"
#include "core/component.h"
#include "core/entity_message.h"
#include "core/host.h"
#include "core/place.h"
#include "core/router.h"
#include "remote/remote_int.h"

#include "c2s_world.h"
#include "fake_streams.h"
#include "test.h"

#define SHARDS 2
#define SEEDS 40
#define STEPS 600
#define STANZAS (4 * STEPS)
#define MORE                                                                   \
	"components: { a.example: { secret: s }, b.example: { secret: s } }\n"  \
	"s2s: { queue_stanzas: 20, backoff_max: 20s, idle_timeout: 60s }\n"     \
	"federation: { mode: on%s }\n"

static const char *const locals[] = { "a.example", "b.example" };
static const char *const domains[] = { "x.example", "y.example", "z.example" };

/* What became of each stanza, by its id. */
struct fate {
	enum stanza_kind kind;
	unsigned wrote;
	unsigned taken; /* by a stream that does not count, or acknowledged */
	unsigned answered;
};

struct scene {
	struct world w;
	struct rand_seeded rand;
	struct fakes *fakes;
	struct link *links[COUNT(locals)];
	struct fate fates[STANZAS];
	unsigned n; /* sent */
	bool counting; /* some streams do */
	int last[COUNT(locals)][COUNT(domains)]; /* taken */
	unsigned asked, verdicts; /* keys */
	unsigned offers, joined;  /* of streams that came by themselves */
};

static struct scene *scene;

static unsigned
draw(unsigned below)
{
	return (unsigned)rand_below(&scene->rand.source, below);
}

static int
id_of(const struct stanza *st)
{
	long long id = -1;

	CHECK(str_to_int(st->id, 0, STANZAS - 1, &id));
	return (int)id;
}

static int *
last_of(const struct fake *f)
{
	int *last = NULL;

	for (size_t i = 0; i < COUNT(locals); i++)
		for (size_t j = 0; j < COUNT(domains); j++)
			if (strcmp(f->local, locals[i]) == 0 &&
				strcmp(f->domain, domains[j]) == 0)
				last = &scene->last[i][j];
	CHECK(last != NULL);
	return last;
}

static void
take(struct fake *f, int id)
{
	int *last = last_of(f);

	CHECK(id > *last);
	*last = id;
	scene->fates[id].taken++;
}

/* The id of the nth that f has written, from 0 on; n_wrote: the last. */
static int
wrote_id(struct fake *f, unsigned n)
{
	const char *at = buf_c(&f->wrote);

	while (n-- > 0)
		at = strchr(at, ' ') + 1;
	return atoi(at);
}

/* Each is written when it is in the text already. */
static void
on_wrote(struct fake *f, const struct stanza *st)
{
	struct fate *fate = &scene->fates[id_of(st)];

	CHECK(fate->taken == 0 && fate->answered == 0);
	CHECK(fate->wrote == 0 || fate->kind == STANZA_MESSAGE);
	if (f->n_wrote > 1)
		CHECK(wrote_id(f, f->n_wrote - 2) < id_of(st));
	fate->wrote++;
	if (!f->counts)
		take(f, id_of(st));
}

static void
ack(struct fake *f, uint32_t h)
{
	for (uint32_t n = f->acked; n < h; n++)
		take(f, wrote_id(f, n));
	fake_ack(f, h);
}

/* --- the components ------------------------------------------------------------ */

static bool
on_answer(void *stream, const struct stanza *st)
{
	(void)stream;
	CHECK(st->type == MESSAGE_ERROR || st->type == IQ_ERROR ||
		st->type == PRESENCE_ERROR);
	scene->fates[id_of(st)].answered++;
	return true;
}

static uint64_t
on_taken(void *stream)
{
	(void)stream;
	return 0;
}

static const char *
on_describe(void *stream, const char *what)
{
	(void)stream;
	(void)what;
	return NULL;
}

static void
on_end(void *stream, enum stream_cond cond, const char *text)
{
	struct link **l = stream;

	(void)cond;
	(void)text;
	component_leave(*l);
	*l = NULL;
}

static void
on_rest(void *stream, int64_t us, int64_t max_us)
{
	(void)stream;
	(void)us;
	(void)max_us;
}

static void
on_cut(void *stream, const char *why, size_t queued)
{
	(void)why;
	(void)queued;
	on_end(stream, STREAM_COND_NONE, NULL);
}

static const struct link_stream component_ops = { on_answer, on_taken,
	on_describe, on_rest, on_end, on_cut, NULL, NULL };

static void
components_connect(struct scene *s)
{
	for (size_t i = 0; i < COUNT(locals); i++) {
		struct shard *sh = s->w.server->shards[
			server_place_of(s->w.server, str_c(locals[i])).shard];

		s->links[i] = component_attach(sh,
			component_host(sh, str_c(locals[i])), &component_ops,
			&s->links[i]);
		CHECK(s->links[i] != NULL);
		component_ready(s->links[i]);
	}
}

/* --- steps --------------------------------------------------------------------- */

static void
step_send(struct scene *s)
{
	struct shard *sh = s->w.server->shards[draw(SHARDS)];
	char from[32], to[32], id[16];
	size_t i = draw(COUNT(locals)), j = draw(COUNT(domains));

	/* more than one at once come from one place, or have no order */
	for (unsigned n = 1 + draw(3); n > 0 && s->n < STANZAS; n--) {
		static const enum stanza_type types[] = { MESSAGE_CHAT,
			MESSAGE_CHAT, MESSAGE_NORMAL, IQ_GET, IQ_SET,
			PRESENCE_AVAILABLE };
		enum stanza_type type = types[draw(COUNT(types))];
		struct stanza *st;

		scene->fates[s->n].kind = stanza_type_kind(type);
		snprintf(from, sizeof(from), "u@%s", locals[i]);
		snprintf(to, sizeof(to), "u@%s", domains[j]);
		snprintf(id, sizeof(id), "%u", s->n++);
		st = stanza_new(type, jid_trusted(str_c(from)),
			jid_trusted(str_c(to)), str_c(id));
		st->made_here = false; /* or nobody is told of presence */
		router_send(sh, st);
	}
	world_settle(&s->w);
}

/* Of those that have not ended; NULL: there is none. */
static struct fake *
some_fake(struct scene *s)
{
	struct fake *found = NULL;
	unsigned n = 0;

	for (struct fake *f = s->fakes->first; f != NULL; f = f->next) {
		if (f->pair != NULL && draw(++n) == 0)
			found = f;
	}
	return found;
}

static void
step_stream(struct scene *s)
{
	static const enum err_code answers[] = { ERR_NONE, ERR_INVALID,
		ERR_CLOSED, ERR_MISSING };
	struct fake *f = some_fake(s);
	unsigned what = draw(4);

	if (f == NULL)
		return;
	if (f->came && f->link == NULL) {
		if (what == 0)
			fake_break(f);
	} else if (f->n_verifies != 0 && draw(3) == 0)
		remote_verified(f->verifies[--f->n_verifies],
			answers[draw(COUNT(answers))], "who knows");
	else if (f->link == NULL && what == 1 && draw(2) == 0)
		f->shown = true;
	else if (f->link == NULL && what < 2) {
		s->fakes->counts = s->counting && draw(4) != 0;
		if (!remote_is_for_keys(f->pair))
			fake_up(f, draw(6));
	}
	else if (f->link == NULL && what == 2)
		fake_down(f, (enum remote_failed)draw(4), "no");
	else if (f->link != NULL && (f->told_to_end || what == 0))
		fake_break(f);
	else if (f->counts && what == 1)
		ack(f, f->acked + draw(f->n_wrote - f->acked + 1));
	else if (f->link != NULL)
		fake_take(f, 1 + draw(10));
}

static void
step_offer(struct scene *s)
{
	const char *domain = domains[draw(COUNT(domains))];
	struct shard *sh = s->w.server->shards[
		server_place_of(s->w.server, str_c(domain)).shard];
	const struct fake *f =
		fake_offer(sh, locals[draw(COUNT(locals))], domain, draw(6));

	s->offers += f != NULL;
	s->joined += f != NULL && f->link != NULL;
}

static void
on_verdict(void *arg, bool ok, const struct err *err)
{
	(void)arg;
	CHECK(ok || err != NULL);
	scene->verdicts++;
}

static void
step_rare(struct scene *s)
{
	struct shard *sh = s->w.server->shards[draw(SHARDS)];
	struct str domain = str_c(domains[draw(COUNT(domains))]);
	char yaml[512];

	switch (draw(5)) {
	case 0:
		remote_came(sh, domain);
		break;
	case 1:
		s->asked++;
		remote_verify_ask(sh, str_c(locals[draw(COUNT(locals))]),
			domain, draw(2) != 0 ? STR("a") : STR("b"), STR("id"),
			STR("key"), draw(2) == 0, on_verdict, s);
		break;
	case 2:
		entity_tell(sh,
			&(struct entity_message){ .kind = TELL_KICK,
				.to = jid_trusted(domain) });
		break;
	case 3:
		snprintf(yaml, sizeof(yaml),
			"shards: 2\nstorage: { driver: memory }\n"
			"hosts: { example.org: {} }\n" MORE,
			draw(3) == 0 ? ", deny: [ y.example ]" : "");
		world_reload(&s->w, yaml);
		break;
	default:
		s->fakes->ends_at_once = draw(2) != 0;
		break;
	}
}

static void
step(struct scene *s)
{
	static const int64_t times_us[] = { 1, US_PER_S / 100, US_PER_S,
		10 * US_PER_S, 40 * US_PER_S, 4000 * US_PER_S };
	unsigned what = draw(100);

	if (what < 40)
		step_send(s);
	else if (what < 77)
		step_stream(s);
	else if (what < 80)
		step_offer(s);
	else if (what < 95)
		clock_manual_advance(&s->w.clock,
			times_us[draw(draw(8) == 0 ? 6 : 4)]);
	else
		step_rare(s);
	world_settle(&s->w);
}

/* --- the end ------------------------------------------------------------------- */

static void
check_once(const struct scene *s, bool all)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct fate *fate = &s->fates[i];
		unsigned n = fate->taken + fate->answered;

		CHECK(n <= 1);
		/* presence that was not acknowledged is not sent again */
		CHECK(n == 1 || !all ||
			(fate->kind == STANZA_PRESENCE && fate->wrote == 1));
	}
}

static void
scene_end(struct scene *s)
{
	struct fake *f;

	while ((f = some_fake(s)) != NULL) {
		if (f->link != NULL || f->came)
			fake_break(f);
		else
			fake_down(f, REMOTE_OF_PAIR, "the end");
		world_settle(&s->w);
		clock_manual_advance(&s->w.clock, US_PER_S);
		world_settle(&s->w);
	}
	for (int i = 0; i < 4; i++) {
		clock_manual_advance(&s->w.clock, 3600 * US_PER_S);
		world_settle(&s->w);
	}
	check_once(s, true);
	CHECK_INT(s->verdicts, s->asked);
	for (unsigned i = 0; i < SHARDS; i++) {
		CHECK(s->w.server->shards[i]->remotes == NULL);
		CHECK_INT(s->w.server->shards[i]->stats.link_bytes.now, 0);
	}
	for (size_t i = 0; i < COUNT(locals); i++)
		component_leave(s->links[i]);
	world_done(&s->w);
	fakes_free();
}

TEST(each_stanza_is_written_once_in_order_or_answered_once)
{
	unsigned offers = 0, joined = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct scene *s = scene = xcalloc(1, sizeof(*s));
		unsigned wrote = 0;
		char label[32], more[512];

		snprintf(label, sizeof(label), "seed %llu",
			(unsigned long long)seed);
		TEST_CASE(label);
		rand_seeded_init(&s->rand, seed);
		memset(s->last, -1, sizeof(s->last));
		s->counting = seed % 2 == 0;
		snprintf(more, sizeof(more), MORE, "");
		world_init(&s->w, SHARDS, more, "");
		s->fakes = fakes_use(&s->w);
		s->fakes->on_write = on_wrote;
		components_connect(s);
		for (int i = 0; i < STEPS; i++) {
			step(s);
			check_once(s, false);
		}
		for (unsigned i = 0; i < s->n; i++)
			wrote += s->fates[i].taken;
		CHECK(wrote > s->n / 20);
		offers += s->offers;
		joined += s->joined;
		scene_end(s);
		free(s);
	}
	CHECK(joined > 0 && offers > joined);
}

TEST_MAIN
