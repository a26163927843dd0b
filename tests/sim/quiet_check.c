/*
 * quiet_check.c - what must hold of what phones get, while somebody looks at them and
 * while nobody does.
 *
 * Of each sender: what comes comes in its order, and once.  What is missing is presence
 * in whose place later one came, with nothing urgent between, or a chat state.  Across
 * senders the same is asked at each urgent stanza that the witness got, too: nobody
 * knows another order of what several have said.
 */
#include "config.h"

#include "sim_quiet.h"

#include <stdio.h>

#include "core/server.h"

static bool
is_for(const struct said *m, const struct phone *p)
{
	return (m->phones & 1u << p->index) != 0;
}

/* Need p never get what x has said, when it has all up to until? */
static bool
may_miss(const struct phone *p, const struct sender *x, unsigned at, unsigned until)
{
	if (x->said[at].kind == STATE)
		return true;
	if (x->said[at].kind != PRESENCE)
		return false;
	for (unsigned i = at + 1; i < until; i++) {
		if (!is_for(&x->said[i], p))
			continue;
		if (x->said[i].kind == PRESENCE)
			return true;
		if (x->said[i].kind == URGENT)
			return false;
	}
	return false;
}

/* Of those before at; until as above. */
static void
check_missed(struct phone *p, unsigned sender, unsigned from, unsigned at,
	unsigned until)
{
	struct scene *s = p->scene;
	const struct sender *x = &s->senders[sender];

	for (unsigned i = from; i < at; i++) {
		if (!is_for(&x->said[i], p) || p->got[sender][i] != 0)
			continue;
		if (!may_miss(p, x, i, until))
			scene_fail(s, "phone %u misses %u of sender %u, at %u",
				p->index, i, sender, at);
	}
}

/* --- what comes ------------------------------------------------------------------- */

/* A chat message for one phone, whose session has ended, is for all that are there
 * (RFC 6121 §8.5.3.2.1). */
static bool
was_for_another(const struct said *m, unsigned phones)
{
	return !m->all && (m->kind == URGENT || m->kind == STATE) &&
		(m->phones & phones) == 0;
}

void
witness_hears(struct scene *s, unsigned sender, unsigned at)
{
	struct said *m = &s->senders[sender].said[at];

	if (was_for_another(m, 0))
		return;
	if (!m->all || (m->witness != 0 && !s->again))
		scene_fail(s, "the witness gets %u of sender %u", at, sender);
	if (m->witness == 0)
		m->witness = ++s->witnessed;
}

void
phone_hears(struct phone *p, unsigned sender, unsigned at)
{
	struct scene *s = p->scene;
	const struct said *m = &s->senders[sender].said[at];

	if (was_for_another(m, 1u << p->index)) {
		p->calm = false;
		return;
	}
	if (p->anew || at < p->from[sender] || (p->got[sender][at] != 0 && s->again))
		return;
	if (!is_for(m, p) || at < p->next[sender]) {
		scene_fail(s, "phone %u gets %u of sender %u, after %u", p->index,
			at, sender, p->next[sender]);
		return;
	}
	if (m->kind == STATE && p->calm && p->inactive && at >= p->seen_to[sender])
		scene_fail(s, "phone %u gets a chat state, %u of sender %u", p->index,
			at, sender);
	*vec_push(&p->heard) = (struct heard){ sender, at };
	p->got[sender][at] = (unsigned)p->heard.n;
	/* what can wait may come ahead of what is still to take the place of more */
	check_missed(p, sender, p->next[sender], at,
		m->kind == URGENT ? at : s->senders[sender].n);
	p->next[sender] = at + 1;
	s->counts->heard++;
}

void
phone_has_all(struct phone *p, const unsigned until[SENDERS])
{
	for (unsigned x = 0; x < SENDERS; x++)
		check_missed(p, x, p->from[x], until[x], until[x]);
}

/* --- across senders ---------------------------------------------------------------- */

/* All that the witness got before moment, p had when it got what is urgent. */
static void
check_before(struct phone *p, unsigned moment, unsigned order)
{
	for (unsigned x = 0; x < SENDERS; x++) {
		const struct sender *of = &p->scene->senders[x];
		unsigned until = of->n;

		while (until > p->from[x] && (of->said[until - 1].witness == 0 ||
			of->said[until - 1].witness >= moment))
			until--;
		for (unsigned i = p->from[x]; i < until; i++) {
			unsigned got = p->got[x][i];

			if (!of->said[i].all || (got != 0 && got < order) ||
				may_miss(p, of, i, until))
				continue;
			scene_fail(p->scene,
				"phone %u had not got %u of sender %u when something urgent came",
				p->index, i, x);
		}
	}
}

/* In the order of the witness, and each that is urgent behind all before it. */
static void
check_order(struct phone *p)
{
	unsigned last = 0;

	for (size_t i = 0; i < p->heard.n; i++) {
		const struct heard *h = &p->heard.p[i];
		const struct said *m = &p->scene->senders[h->sender].said[h->at];

		if (!m->all)
			continue;
		if (m->witness <= last)
			scene_fail(p->scene,
				"phone %u gets %u of sender %u in another order",
				p->index, h->at, h->sender);
		last = m->witness;
		if (m->kind == URGENT && i >= p->seen)
			check_before(p, m->witness, (unsigned)i + 1);
	}
}

/* --- at a look ---------------------------------------------------------------------- */

static void
check_witness(struct scene *s)
{
	for (unsigned x = 0; x < SENDERS; x++) {
		const struct sender *of = &s->senders[x];
		unsigned last = 0;

		for (unsigned i = 0; i < of->n; i++) {
			if (!of->said[i].all)
				continue;
			if (of->said[i].witness <= last)
				scene_fail(s, "the witness misses %u of sender %u",
					i, x);
			last = of->said[i].witness;
		}
	}
}

/* What was said since the last look, of a kind at least as urgent. */
static unsigned
said_since(const struct phone *p, enum kind kind, bool missing)
{
	unsigned n = 0;

	for (unsigned x = 0; x < SENDERS; x++) {
		const struct sender *of = &p->scene->senders[x];

		for (unsigned i = p->seen_to[x]; i < of->n; i++)
			n += is_for(&of->said[i], p) &&
				of->said[i].kind >= kind &&
				(!missing || p->got[x][i] == 0);
	}
	return n;
}

void
phone_count(const struct phone *p)
{
	struct counts *c = p->scene->counts;

	for (unsigned x = 0; x < SENDERS; x++) {
		const struct sender *of = &p->scene->senders[x];

		for (unsigned i = p->from[x]; i < of->n; i++) {
			if (!is_for(&of->said[i], p) || p->got[x][i] != 0)
				continue;
			c->merged += of->said[i].kind == PRESENCE;
			c->dropped += of->said[i].kind == STATE;
		}
	}
}

/* A session has ended, and with it what it was told. */
static void
phone_begin(struct phone *p)
{
	p->anew = false;
	p->heard.n = 0;
	memset(p->got, 0, sizeof(p->got));
	for (unsigned x = 0; x < SENDERS; x++)
		p->from[x] = p->next[x] = p->scene->senders[x].n;
	p->scene->lives++;
	p->scene->counts->lives++;
}

static void
phone_check(struct phone *p)
{
	struct scene *s = p->scene;
	unsigned all[SENDERS];
	bool on = device_is_on(p->d) && !p->stalls;

	for (unsigned x = 0; x < SENDERS; x++)
		all[x] = s->senders[x].n;
	check_order(p);
	if (on && !p->inactive) {
		phone_has_all(p, all);
		if (p->calm && said_since(p, PRESENCE, true) != 0)
			scene_fail(s, "phone %u, which is looked at, misses something",
				p->index);
	} else if (p->calm && on && said_since(p, URGENT, false) == 0) {
		s->counts->still++;
		s->counts->waits += said_since(p, PRESENCE, false);
		if (p->heard.n != p->seen)
			scene_fail(s, "phone %u is woken for nothing", p->index);
	}
}

void
scene_check(struct scene *s)
{
	check_witness(s);
	for (unsigned i = 0; i < PHONES; i++) {
		struct phone *p = &s->phones[i];

		if (p->anew && device_is_on(p->d)) {
			phone_count(p);
			phone_begin(p);
		} else if (!p->anew) {
			phone_check(p);
		}
		p->seen = p->heard.n;
		p->calm = true;
		for (unsigned x = 0; x < SENDERS; x++)
			p->seen_to[x] = s->senders[x].n;
	}
	s->again = false;
}
