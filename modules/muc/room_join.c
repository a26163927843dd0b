/*
 * room_join.c - what one who comes into a room is told, as his connection takes it.
 *
 * Owner shard of the room.  Invariants: somebody comes in from join_begin() until he hears
 * as all do, or has left; a heard message is there as long as one has it or one before it
 * to be told.
 */
#include "config.h"

#include "room.h"

/* What one is sent at a time, and how many of these are on their way. */
#define SLICE_STANZAS 64
#define SLICE_BYTES (64u << 10)
#define SLICES_OUT 2
/* What all are sent in one turn of the shard. */
#define TURN_STANZAS 1024
#define HEARD_BYTES (1u << 20)
/* Of what is for one alone, and has to wait. */
#define ALONE_BYTES (64u << 10)
/* What has waited for longer says when it was said (XEP-0203 §2). */
#define LATE_US (30 * US_PER_S)

enum step { OTHERS, OWN, ALONE, HISTORY, SUBJECT, LIVE, TOLD };

/* A message that was said to all, packed behind it (elem_pack.h). */
struct room_heard {
	TAILQ_ENTRY(room_heard) link;
	struct room_mark before;
	int64_t wall_us;
	uint32_t readers; /* who have this one to be told next */
	size_t bytes;
};

struct room_join {
	TAILQ_ENTRY(room_join) link, ready_link;
	struct room *room;
	struct room_client *client;
	enum step step;
	enum step after; /* OTHERS */
	bool ready;   /* in the list */
	bool missed;  /* too much has waited for it */
	struct people_walk walk;
	struct receipt_line line; /* of slices that are on their way */
	unsigned own[NOTE_CODES];
	char *id;      /* owned; NULL: none */
	struct history_told history;
	struct stanza *subject;     /* as it was when it came; owned; NULL: told */
	struct stanza_queue alone;
	size_t alone_bytes;
	struct room_heard *next; /* to be told; NULL: nothing was said since */
};

/* --- what was said since ------------------------------------------------------------ */

static void
heard_trim(struct room_joins *all)
{
	struct room_heard *h;

	while ((h = TAILQ_FIRST(&all->heard)) != NULL && h->readers == 0) {
		TAILQ_REMOVE(&all->heard, h, link);
		all->heard_bytes -= h->bytes;
		free(h);
	}
}

static void
read_on(struct room_join *j, struct room_heard *next)
{
	if (j->next != NULL)
		j->next->readers--;
	j->next = next;
	if (next != NULL)
		next->readers++;
}

static void
be_ready(struct room_join *j)
{
	struct room_joins *all = &j->room->joins;

	if (!j->ready) {
		j->ready = true;
		TAILQ_INSERT_TAIL(&all->ready, j, ready_link);
	}
	shard_at_end(j->room->e.shard, &all->work);
}

/* Those who are furthest behind hold up the most. */
static void
drop_behind(struct room_joins *all)
{
	struct room_join *j;

	TAILQ_FOREACH (j, &all->all, link)
		if (j->next == TAILQ_FIRST(&all->heard) && !j->missed) {
			j->missed = true;
			be_ready(j);
		}
}

static void
heard_add(struct room *r, const struct stanza *st)
{
	struct room_joins *all = &r->joins;
	struct buf packed = BUF_INIT;
	struct room_heard *h;
	struct room_join *j;

	elem_pack(&packed, st->root);
	h = xmalloc(sizeof(*h) + packed.n);
	*h = (struct room_heard){ .before = { r->history.added, r->log.said },
		.wall_us = shard_wall_us(r->e.shard),
		.bytes = packed.n };
	memcpy(h + 1, packed.p, packed.n);
	buf_done(&packed);
	TAILQ_INSERT_TAIL(&all->heard, h, link);
	all->heard_bytes += h->bytes;
	TAILQ_FOREACH (j, &all->all, link)
		if (j->next == NULL)
			read_on(j, h);
	if (all->heard_bytes > HEARD_BYTES)
		drop_behind(all);
}

void
joins_hear(struct room *r, const struct stanza *st)
{
	if (!TAILQ_EMPTY(&r->joins.all))
		heard_add(r, st);
}

static struct stanza *
heard_stanza(const struct room_join *j, const struct room_heard *h)
{
	const struct room *r = j->room;
	struct stanza *st = room_unpack(
		(struct str){ (const char *)(h + 1), h->bytes }, j->client->jid);

	if (h->wall_us < shard_wall_us(r->e.shard) - LATE_US)
		stanza_add_delay(st, jid_str(r->e.jid), h->wall_us);
	return st;
}

/* --- one thing after the other ------------------------------------------------------------ */

static struct stanza *
next_other(struct room_join *j)
{
	const struct occupant *o;

	while ((o = people_walk_next(&j->walk)) != NULL)
		if (o != j->client->occupant && o->is_shown)
			return room_shown_to(j->room, o, j->client);
	j->step = j->after;
	return NULL;
}

static struct stanza *
next_own(struct room_join *j)
{
	struct room_note note = { .codes = { 0 } };

	memcpy(note.own, j->own, sizeof(note.own));
	j->step = ALONE;
	return room_own_new(j->room, j->client, &note, str_c(j->id));
}

static struct stanza *
next_alone(struct room_join *j)
{
	struct stanza *st = STAILQ_FIRST(&j->alone);

	if (st == NULL) {
		j->step = HISTORY;
		return NULL;
	}
	STAILQ_REMOVE_HEAD(&j->alone, link);
	j->alone_bytes -= stanza_bytes(st);
	return st;
}

static struct stanza *
next_history(struct room_join *j)
{
	struct stanza *st = history_next(&j->history, j->room, j->client->jid);

	if (st == NULL && !history_waits(&j->history))
		j->step = SUBJECT;
	return st;
}

static struct stanza *
next_live(struct room_join *j)
{
	struct room_heard *h = j->next;
	struct stanza *st;

	if (h == NULL) {
		j->step = TOLD;
		return NULL;
	}
	st = heard_stanza(j, h);
	read_on(j, TAILQ_NEXT(h, link));
	heard_trim(&j->room->joins);
	return st;
}

/* NULL: there is nothing more for now, or at all (TOLD). */
static struct stanza *
next_of(struct room_join *j)
{
	struct stanza *st = NULL;
	enum step before;

	do {
		before = j->step;
		switch (j->step) {
		case OTHERS:
			st = next_other(j);
			break;
		case OWN:
			st = next_own(j);
			break;
		case ALONE:
			st = next_alone(j);
			break;
		case HISTORY:
			st = next_history(j);
			break;
		case SUBJECT:
			st = j->subject;
			j->subject = NULL;
			j->step = LIVE;
			break;
		case LIVE:
			st = next_live(j);
			break;
		case TOLD:
			break;
		}
	} while (st == NULL && j->step != before);
	return st;
}

/* How many were sent.  With the last one its receipt is on its way. */
static size_t
send_slice(struct room_join *j)
{
	struct shard *sh = j->room->e.shard;
	struct stanza *st, *last = NULL;
	size_t n = 0, bytes = 0;

	while (n < SLICE_STANZAS && bytes < SLICE_BYTES &&
		(st = next_of(j)) != NULL) {
		if (last != NULL)
			router_send(sh, last);
		last = st;
		bytes += stanza_bytes(st);
		n++;
	}
	if (last == NULL)
		return 0;
	if (last->receipt == NULL) {
		receipt_line_next(&j->line);
		receipt_give(&j->line, last);
		last->paced = true;
	}
	router_send(sh, last);
	return n;
}

/* --- in turns --------------------------------------------------------------------------- */

static void
join_free(struct room_join *j)
{
	struct room_joins *all = &j->room->joins;

	j->client->join = NULL;
	TAILQ_REMOVE(&all->all, j, link);
	if (j->ready)
		TAILQ_REMOVE(&all->ready, j, ready_link);
	people_walk_end(&j->walk);
	receipt_line_end(&j->line);
	history_told_end(&j->history);
	stanza_free(j->subject);
	read_on(j, NULL);
	heard_trim(all);
	free(j->id);
	free(j);
}

static size_t *
sent_this_turn(struct room *r)
{
	struct room_joins *all = &r->joins;

	if (all->turn != r->e.shard->stats.turns) {
		all->turn = r->e.shard->stats.turns;
		all->sent = 0;
	}
	return &all->sent;
}

static void
go_on(struct room_join *j)
{
	struct room *r = j->room;
	struct room_client *c = j->client;
	size_t *sent = sent_this_turn(r), n = 1;

	while (n != 0 && j->line.n_out < SLICES_OUT && *sent < TURN_STANZAS) {
		n = send_slice(j);
		*sent += n;
	}
	if (j->step == TOLD) {
		join_free(j);
		room_hear(r, c);
	} else if (n != 0 && j->line.n_out < SLICES_OUT) {
		be_ready(j);
	}
}

/* What one who has missed something leaves behind may be no room any more. */
static void
on_work(struct turn_end *t)
{
	struct room *r = CONTAINER_OF(t, struct room, joins.work);
	struct room_join_list now = TAILQ_HEAD_INITIALIZER(now);
	struct room_join *j;

	TAILQ_CONCAT(&now, &r->joins.ready, ready_link);
	while ((j = TAILQ_FIRST(&now)) != NULL) {
		TAILQ_REMOVE(&now, j, ready_link);
		j->ready = false;
		if (j->missed) {
			TAILQ_CONCAT(&r->joins.ready, &now, ready_link);
			if (!TAILQ_EMPTY(&r->joins.ready))
				shard_at_end(r->e.shard, t);
			room_missed(r, j->client, 0);
			return;
		}
		go_on(j);
	}
}

/* Some of it was taken. */
static void
on_taken(struct turn_end *t)
{
	be_ready(CONTAINER_OF(t, struct room_join, line.moved));
}

static void
on_history(void *arg)
{
	be_ready(arg);
}

/* --- for others --------------------------------------------------------------------------- */

void
joins_init(struct room *r)
{
	r->joins = (struct room_joins){ .work.fn = on_work };
	TAILQ_INIT(&r->joins.all);
	TAILQ_INIT(&r->joins.ready);
	TAILQ_INIT(&r->joins.heard);
}

void
joins_done(struct room *r)
{
	struct room_join *j;
	struct stanza *st;

	while ((j = TAILQ_FIRST(&r->joins.all)) != NULL) {
		j->client->told = true; /* that it has gone, when it asks */
		while ((st = next_alone(j)) != NULL)
			stanza_free(st);
		join_free(j);
	}
	shard_not_at_end(&r->joins.work);
}

static struct room_join *
join_new(struct room *r, struct room_client *c)
{
	struct room_join *j = xcalloc(1, sizeof(*j));
	bool is_new = audience_flags(r->audience, c->jid) == 0;

	j->room = r;
	j->client = c;
	STAILQ_INIT(&j->alone);
	people_walk_begin(&r->people, &j->walk, is_new);
	receipt_line_begin(&j->line, r->e.shard, 0, on_taken);
	TAILQ_INSERT_TAIL(&r->joins.all, j, link);
	c->join = j;
	return j;
}

/* What it has not been told of what was said since it came stays live. */
static void
begin_anew(struct room_join *j)
{
	struct room *r = j->room;

	people_walk_again(&r->people, &j->walk);
	receipt_line_end(&j->line);
	receipt_line_begin(&j->line, r->e.shard, 0, on_taken);
	history_told_end(&j->history);
	stanza_free(j->subject);
	free(j->id);
}

void
join_begin(struct room *r, struct room_client *c, const struct elem *x,
	const unsigned *own, struct str id)
{
	struct room_mark now = { r->history.added, r->log.said };
	struct room_join *j = c->join;

	if (j != NULL)
		begin_anew(j);
	else
		j = join_new(r, c);
	j->step = OTHERS;
	j->after = OWN;
	memcpy(j->own, own, sizeof(j->own));
	j->id = id.p != NULL ? str_dup(id) : NULL;
	j->subject = room_subject_new(r, c->jid);
	history_ask(&j->history, r, x, c->jid,
		j->next != NULL ? &j->next->before : &now, on_history, j);
	room_hear(r, c);
}

void
join_go(struct room_client *c)
{
	if (c->join != NULL)
		go_on(c->join);
}

/* What he has yet to be told is told behind it. */
void
join_shown_again(struct room *r, struct room_client *c)
{
	struct room_join *j = c->join;

	if (audience_flags(r->audience, c->jid) == 0)
		return;
	if (j == NULL) {
		j = join_new(r, c);
		j->step = LIVE;
		room_hear(r, c);
	}
	if (j->step != OTHERS) {
		j->after = j->step;
		j->step = OTHERS;
	}
	people_walk_again(&r->people, &j->walk);
	go_on(j);
}

void
join_end(struct room_client *c)
{
	struct room_join *j = c->join;
	struct stanza *st;

	if (j == NULL)
		return;
	while ((st = next_alone(j)) != NULL) {
		if (jid_is_bare(st->from))
			stanza_free(st); /* the room says it to who is in it */
		else
			router_send(j->room->e.shard, st);
	}
	join_free(j);
}

bool
join_is_early(const struct room_client *c)
{
	return c->join != NULL && c->join->step <= OWN && c->join->after == OWN;
}

bool
join_owes(const struct room_client *c, uint64_t number)
{
	return c->join != NULL && people_walk_owes(&c->join->walk, number);
}

void
joins_set_aside(struct room *r, uint64_t number, bool aside)
{
	const struct room_join *j;

	TAILQ_FOREACH (j, &r->joins.all, link) {
		if (!people_walk_owes(&j->walk, number))
			continue;
		if (aside)
			audience_join(r->audience, j->client->jid, VIEW_SELF);
		else
			room_hear(r, j->client);
	}
}

bool
join_takes(struct room_client *c, struct stanza *st)
{
	struct room_join *j = c->join;
	size_t bytes = stanza_bytes(st);

	if (!join_is_early(c))
		return false;
	if (j->alone_bytes != 0 && j->alone_bytes + bytes > ALONE_BYTES) {
		router_bounce(j->room->e.shard, st, COND_RESOURCE_CONSTRAINT,
			NULL);
		return true;
	}
	STAILQ_INSERT_TAIL(&j->alone, st, link);
	j->alone_bytes += bytes;
	return true;
}

void
joins_take(struct room *r, const struct stanza *st, uint8_t flag)
{
	const struct room_join *j;

	TAILQ_FOREACH (j, &r->joins.all, link) {
		struct room_client *c = j->client;
		struct stanza *own;

		if (!join_is_early(c))
			continue;
		if (st == NULL) {
			room_hear(r, c);
		} else if ((audience_flags(r->audience, c->jid) & flag) != 0) {
			own = stanza_copy(st);
			stanza_set_to(own, jid_copy(own->arena, c->jid));
			(void)join_takes(c, own);
			audience_join(r->audience, c->jid, VIEW_SELF);
		}
	}
}
