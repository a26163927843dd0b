/*
 * fake_streams.c - streams to other servers that go nowhere.
 */
#include "config.h"

#include "fake_streams.h"

#include "core/server.h"
#include "core/shard.h"
#include "core/wire.h"
#include "test.h"

static struct fakes fakes;

/* --- for links --------------------------------------------------------------- */

static bool
on_write(void *stream, const struct stanza *st)
{
	struct fake *f = stream;

	CHECK(f->pair != NULL && f->link != NULL && !f->told_to_end);
	CHECK(f->room > 0);
	buf_add_str(&f->wrote, st->id);
	buf_add_c(&f->wrote, " ");
	f->n_wrote++;
	if (fakes.on_write != NULL)
		fakes.on_write(f, st);
	if (--f->room == 0)
		link_full(f->link);
	return true;
}

static bool
on_write_wire(void *stream, const struct wire *w, struct str to)
{
	struct stanza *st;
	struct fake *f = stream;

	if (fakes.no_wires)
		return false;
	st = wire_stanza(w);
	CHECK(!jid_is_set(st->to));
	buf_add_str(&f->to, to);
	buf_add_c(&f->to, " ");
	f->n_wires++;
	stanza_set_to(st, jid_trusted(to));
	on_write(stream, st);
	stanza_free(st);
	return true;
}

static uint64_t
on_taken(void *stream)
{
	const struct fake *f = stream;

	return f->n_wrote * 1000;
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
	struct fake *f = stream;

	(void)text;
	f->told_to_end = true;
	f->cond = cond;
	if (fakes.ends_at_once)
		fake_break(f);
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

static void
on_ask(void *stream)
{
	struct fake *f = stream;

	f->n_asked++;
}

static const struct link_stream link_ops = { on_write, on_taken, on_describe,
	on_rest, on_end, on_cut, on_write_wire, on_ask };

/* --- for pairs --------------------------------------------------------------- */

static struct fake *
fake_new(struct shard *sh, struct str local, struct str domain)
{
	struct fake *f = xcalloc(1, sizeof(*f));

	f->started_us = sh->now_us;
	f->late = REMOTE_OF_PAIR;
	snprintf(f->local, sizeof(f->local), "%.*s", STR_ARG(local));
	snprintf(f->domain, sizeof(f->domain), "%.*s", STR_ARG(domain));
	f->next = fakes.first;
	fakes.first = f;
	fakes.n++;
	return f;
}

static void *
on_start(struct remote_pair *p)
{
	struct fake *f = fake_new(remote_pair_shard(p), remote_pair_local(p),
		remote_pair_domain(p));

	f->pair = p;
	return f;
}

static void
fake_end_verifies(struct fake *f)
{
	while (f->n_verifies != 0)
		remote_verified(f->verifies[--f->n_verifies], ERR_CLOSED,
			"the stream has ended");
}

static void
on_cancel(void *attempt)
{
	struct fake *f = attempt;

	CHECK(f->pair != NULL && f->link == NULL);
	f->cancelled = true;
	fake_end_verifies(f);
	f->pair = NULL;
}

static void
on_verify(void *stream, struct remote_verify *v)
{
	struct fake *f = stream;

	CHECK(f->pair != NULL && f->n_verifies < FAKE_VERIFIES);
	f->verifies[f->n_verifies++] = v;
}

static bool
on_has_shown(void *attempt)
{
	const struct fake *f = attempt;

	CHECK(f->pair != NULL && f->link == NULL);
	return f->shown;
}

static const char *
on_waits_for(void *attempt)
{
	(void)attempt;
	return "a fake";
}

static enum remote_failed
on_late(void *attempt)
{
	const struct fake *f = attempt;

	return f->late;
}

static void
on_tell(void *stream, struct remote_pair *p)
{
	const struct fake *f = stream;

	CHECK(f->pair == p && f->link != NULL);
	remote_step(p, "told", "ok", "by the stream");
}

/* --- for tests ----------------------------------------------------------------- */

struct fakes *
fakes_use(struct world *w)
{
	static const struct remote_streams ops = { on_start, on_cancel,
		on_verify, on_has_shown, on_waits_for, on_late,
		on_tell };

	fakes = (struct fakes){ .first = NULL };
	w->server->remote_streams = &ops;
	return &fakes;
}

void
fakes_free(void)
{
	struct fake *f;

	while ((f = fakes.first) != NULL) {
		fakes.first = f->next;
		CHECK(f->pair == NULL);
		buf_done(&f->wrote);
		buf_done(&f->to);
		free(f);
	}
}

static bool
fake_is(const struct fake *f, const char *local, const char *domain)
{
	return (local == NULL || strcmp(f->local, local) == 0) &&
		strcmp(f->domain, domain) == 0;
}

struct fake *
fake_find(const char *local, const char *domain)
{
	struct fake *f = fakes.first;

	while (f != NULL && !fake_is(f, local, domain))
		f = f->next;
	return f;
}

unsigned
fake_count(const char *local, const char *domain)
{
	unsigned n = 0;

	for (const struct fake *f = fakes.first; f != NULL; f = f->next)
		n += fake_is(f, local, domain);
	return n;
}

void
fake_up(struct fake *f, int64_t room)
{
	f->link = remote_up(f->pair, &link_ops, f);
	f->counts = fakes.counts;
	if (f->counts && link_resumes(f->link) == NULL)
		link_count(f->link, 0);
	fake_take(f, room);
}

void
fake_take(struct fake *f, int64_t room)
{
	f->room += room;
	if (f->room > 0)
		link_drained(f->link);
}

static void
on_linked(struct remote_offer *o)
{
	struct fake *f = o->stream;

	CHECK(f->came && f->link == NULL && o->link != NULL);
	f->pair = o->pair;
	f->link = o->link;
	fake_take(f, 0);
}

struct fake *
fake_offer(struct shard *sh, const char *local, const char *domain, int64_t room)
{
	struct fake *f = fake_new(sh, str_c(local), str_c(domain));

	f->came = true;
	f->room = room;
	f->used_us = sh->now_us;
	f->offer = (struct remote_offer){ .ops = &link_ops, .stream = f,
		.linked = on_linked, .used_us = &f->used_us };
	if (!remote_offer(sh, str_c(local), str_c(domain), &f->offer))
		return NULL;
	f->pair = f->offer.pair;
	return f;
}

void
fake_down(struct fake *f, enum remote_failed what, const char *why)
{
	struct remote_pair *p = f->pair;

	fake_end_verifies(f);
	f->pair = NULL;
	remote_down(p, what, why);
}

void
fake_break(struct fake *f)
{
	struct link *l = f->link;

	fake_end_verifies(f);
	f->link = NULL;
	f->pair = NULL;
	if (f->came)
		remote_withdraw(&f->offer);
	else
		remote_leave(l);
}

void
fake_resume(struct fake *f, uint32_t h, int64_t room)
{
	f->room = room;
	CHECK(link_resumed(f->link, h));
	fake_take(f, 0);
}

void
fake_ack(struct fake *f, uint32_t h)
{
	f->acked = h;
	CHECK(link_acked(f->link, h));
}
