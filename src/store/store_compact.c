/*
 * store_compact.c - the database is made as small as it can be, when somebody asks.
 *
 * What asks stands in a line of its own, which the writer looks at behind each commit.
 * Where a driver does it in slices, one of them goes then, and nobody waits for more
 * than that.  Where it takes the whole database, that is a state of the store meanwhile,
 * as if the disk took no writes (store_outage.c): what waited for the writer before
 * goes on waiting and is written behind it, and no more comes to it.
 *
 *	asked --> in line --> looked at --> answered: how much room there is
 *	                          | go
 *	                          v
 *	                     in slices: one --more--> in line
 *	                          |      `--none is left--------> answered
 *	                     the whole: no writes --> done, or failed --> answered
 */
#include "config.h"

#include "store/store_int.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/share.h"

struct compacting {
	struct store_req req;
	bool go;
	struct store_room room;
	store_compact_fn fn;
};

/* --- asking -------------------------------------------------------------------- */

/* Mailbox owner's thread. */
static void
on_compact_answered(struct mail *m, void *owner)
{
	struct store_req *req = CONTAINER_OF(m, struct store_req, mail);
	struct compacting *c = CONTAINER_OF(req, struct compacting, req);

	(void)owner;
	share_set(arena_share(req->arena));
	c->fn(req->arg, req->failed ? NULL : &c->room,
		req->failed ? &req->err : NULL);
	share_set(NULL);
	arena_free(req->arena);
}

static struct compacting *
compacting_of(struct store_req *req)
{
	return CONTAINER_OF(req, struct compacting, req);
}

/* With the lock. */
static bool
compact_accept(struct store *s, struct compacting *c)
{
	struct store_req *other;

	if (s->closing || s->compact_ends)
		return err_set(&c->req.err, ERR_CLOSED,
			"the store is being closed");
	STAILQ_FOREACH (other, &s->compacts, link) {
		if (c->go && compacting_of(other)->go)
			return err_set(&c->req.err, ERR_CONFLICT,
				"it is being made smaller already");
	}
	return true;
}

void
store_compact(struct store *s, bool go, struct mailbox *reply,
	store_compact_fn fn, void *arg)
{
	struct arena *a = arena_new();
	struct compacting *c = arena_zalloc(a, sizeof(*c));
	bool ok;

	c->go = go;
	c->fn = fn;
	c->req.arena = a;
	c->req.mail.run = on_compact_answered;
	c->req.reply = reply;
	c->req.arg = arg;
	atomic_fetch_add(&s->unanswered, 1);
	pthread_mutex_lock(&s->lock);
	ok = compact_accept(s, c);
	if (ok)
		STAILQ_INSERT_TAIL(&s->compacts, &c->req, link);
	s->writer_asleep = false;
	pthread_mutex_unlock(&s->lock);
	if (ok) {
		pthread_cond_signal(&s->writes_changed);
		return;
	}
	c->req.failed = true;
	store_req_answer(s, &c->req);
}

void
store_compact_end(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	s->compact_ends = true;
	pthread_mutex_unlock(&s->lock);
}

/* --- the writer ------------------------------------------------------------------ */

static bool
is_ending(void *arg)
{
	struct store *s = arg;
	bool ends;

	pthread_mutex_lock(&s->lock);
	ends = s->closing || s->compact_ends;
	pthread_mutex_unlock(&s->lock);
	return ends;
}

static bool
room_find(struct store *s, struct compacting *c, struct err *err)
{
	if (s->driver->room == NULL)
		return err_set(err, ERR_REFUSED,
			"this storage has no file that could be smaller");
	c->room = (struct store_room){ .file_bytes = 0 };
	return s->driver->room(s->writer.db, &c->room, err);
}

/* Nothing is written meanwhile, and whoever wants to hears why. */
static bool
whole_compact(struct store *s, struct compacting *c, struct err *err)
{
	struct err why = ERR_INIT;
	bool more, ok;

	err_set(&why, ERR_DISK,
		"%.120s is being made smaller, which takes about %llu s",
		s->path != NULL ? s->path : "the database",
		(unsigned long long)c->room.about_s);
	store_outage_want(s, &why);
	ok = s->driver->compact(s->writer.db, is_ending, s, &more, err);
	store_outage_end(s);
	return ok;
}

/* *more_out: another slice. */
static bool
compact_go(struct store *s, struct compacting *c, bool *more_out,
	struct err *err)
{
	if (c->room.missing.code != ERR_NONE) {
		*err = c->room.missing;
		return false;
	}
	if (!c->room.in_slices)
		return whole_compact(s, c, err) && room_find(s, c, err);
	if (!s->driver->compact(s->writer.db, is_ending, s, more_out, err))
		return false;
	return *more_out || room_find(s, c, err);
}

/* Is it to be answered?  Else it stays in line. */
static bool
compact_some(struct store *s, struct compacting *c)
{
	struct err *err = &c->req.err;
	bool more = false, ok;

	if (is_ending(s))
		ok = err_set(err, ERR_CLOSED, "the store is being closed");
	else if (c->go && !store_takes_writes(s))
		ok = store_outage_refuse(s, err);
	else
		ok = room_find(s, c, err) &&
			(!c->go || compact_go(s, c, &more, err));
	c->req.failed = !ok;
	return !ok || !more;
}

bool
store_compact_turn(struct store *s)
{
	struct store_req *req;
	bool ends;

	pthread_mutex_lock(&s->lock);
	req = STAILQ_FIRST(&s->compacts);
	pthread_mutex_unlock(&s->lock);
	if (req == NULL)
		return false;
	ends = compact_some(s, compacting_of(req));
	if (!ends)
		return true;
	pthread_mutex_lock(&s->lock);
	STAILQ_REMOVE_HEAD(&s->compacts, link);
	pthread_mutex_unlock(&s->lock);
	store_req_answer(s, req);
	return true;
}
