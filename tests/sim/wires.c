/*
 * wires.c - what lies between two worlds.
 */
#include "config.h"

#include "wires.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/conn.h"
#include "net/net_int.h"
#include "core/shard.h"
#include "stream/server/s2s_in.h"

/* How late what is slow comes, and who has nobody to talk to finds out. */
#define LATE_US (2 * US_PER_S)
#define NOTICE_US (20 * US_PER_S)

/* --- letters --------------------------------------------------------------------- */

/* Our own writer's attributes, which has no blank around '='. */
static void
tag_attr(const char *tag, const char *name, char *out, size_t n)
{
	char key[16];
	const char *at, *end;

	out[0] = '\0';
	for (int quote = 0; quote < 2; quote++) {
		snprintf(key, sizeof(key), " %s=%c", name, "\"'"[quote]);
		at = strstr(tag, key);
		if (at == NULL)
			continue;
		at += strlen(key);
		end = strchr(at, "\"'"[quote]);
		if (end != NULL)
			snprintf(out, n, "%.*s", (int)(end - at), at);
		return;
	}
}

static void
letter_begin(struct letter *l, const char *tag)
{
	*l = (struct letter){ .handed = false };
	snprintf(l->name, sizeof(l->name), "%.*s",
		(int)strcspn(tag, " />"), tag);
	tag_attr(tag, "type", l->type, sizeof(l->type));
	tag_attr(tag, "id", l->id, sizeof(l->id));
	tag_attr(tag, "from", l->from, sizeof(l->from));
	tag_attr(tag, "to", l->to, sizeof(l->to));
	l->from[strcspn(l->from, "/")] = l->to[strcspn(l->to, "/")] = '\0';
}

static bool
is_stanza(const struct letter *l)
{
	return strcmp(l->name, "message") == 0 || strcmp(l->name, "iq") == 0 ||
		strcmp(l->name, "presence") == 0;
}

static void
half_is_over(const struct wire *w, struct half *h)
{
	if (h->over)
		return;
	h->over = true;
	for (size_t i = 0; i < h->all.n && !w->resumed; i++)
		w->all->again(w->all->arg, &h->all.p[i]);
}

static void
half_says_goodbye(const struct wire *w, struct half *h)
{
	half_is_over(w, h);
	for (size_t i = 0; i < h->letters.n; i++)
		if (!h->letters.p[i].handed && is_stanza(&h->letters.p[i]))
			w->all->late(w->all->arg, &h->letters.p[i]);
}

static bool
half_has_said(const struct half *h, const struct letter *l)
{
	for (size_t i = 0; i < h->all.n; i++)
		if (strcmp(h->all.p[i].id, l->id) == 0 &&
			strcmp(h->all.p[i].from, l->from) == 0)
			return true;
	return false;
}

/* It was sent by a connection that was left without a word, as to resume it. */
static void
half_look_for(const struct wire *w, const struct half *h, const struct letter *l)
{
	const struct wire *other;

	LIST_FOREACH (other, &w->all->list, in)
		for (unsigned side = 0; side < 2; side++)
			if (&other->halves[side] != h && !other->resumed &&
				!other->halves[side].over &&
				half_has_said(&other->halves[side], l))
				w->all->again(w->all->arg, l);
}

/* By another one: who did not wait for a stream to be resumed has sent it again. */
static bool
wires_have_said(const struct wires *all, const struct half *h,
	const struct letter *l)
{
	const struct wire_list *lists[] = { &all->list, &all->ended };
	const struct wire *w;

	for (size_t i = 0; i < COUNT(lists); i++)
		LIST_FOREACH (w, lists[i], in)
			for (unsigned side = 0; side < 2; side++)
				if (&w->halves[side] != h && !w->resumed &&
					half_has_said(&w->halves[side], l))
					return true;
	return false;
}

/* What it said before is dealt with, or comes by who goes on with it: but when that
 * breaks, too, nobody may have heard so. */
static void
wire_is_resumed(struct wire *w, struct wire *by)
{
	w->resumed = true;
	w->id[0] = '\0';
	w->all->n.resumed++;
	for (unsigned side = 0; side < 2; side++) {
		struct half *h = &w->halves[side];

		for (size_t i = 0; i < h->all.n; i++) {
			const struct letter *l = &h->all.p[i];

			if (h->over && !wires_have_said(w->all, h, l))
				w->all->once(w->all->arg, l);
			*vec_push(&by->halves[side].all) = *l;
			if (by->halves[side].over)
				w->all->again(w->all->arg, l);
		}
	}
}

static void
wires_resume(struct wires *all, struct wire *by)
{
	struct wire_list *lists[] = { &all->list, &all->ended };
	struct wire *w;

	for (size_t i = 0; i < COUNT(lists); i++)
		LIST_FOREACH (w, lists[i], in)
			if (w != by && strcmp(w->id, by->id) == 0)
				wire_is_resumed(w, by);
}

/* Elements of stream management: an id is shown by who accepted the wire. */
static void
half_counts(struct wire *w, struct half *h, const char *tag)
{
	const char *name = h->next.name;

	if (strcmp(name, "enable") == 0) {
		h->counts = true;
	} else if (strcmp(name, "enabled") == 0) {
		h->counts = true;
		tag_attr(tag, "id", w->id, sizeof(w->id));
	} else if (strcmp(name, "resumed") == 0) {
		w->halves[0].counts = w->halves[1].counts = true;
		tag_attr(tag, "previd", w->id, sizeof(w->id));
		wires_resume(w->all, w);
	} else if (strcmp(name, "failed") == 0) {
		w->all->n.refused++;
	}
}

static void
half_says(struct wire *w, struct half *h)
{
	const struct letter *l = &h->next;

	if (!h->counts)
		w->all->unkept(w->all->arg, l);
	w->all->n.back += h == &w->halves[1];
	if (l->id[0] == '\0')
		return;
	half_look_for(w, h, l);
	*vec_push(&h->all) = *l;
	if (h->over && !w->resumed)
		w->all->again(w->all->arg, l);
}

static void
half_tag(struct wire *w, struct half *h)
{
	const char *tag = buf_c(&h->tag);
	bool ends = tag[0] == '/', whole = tag[strlen(tag) - 1] == '/';

	/* headers stand around it all */
	if (tag[0] == '?' || strstr(tag, "stream:stream") != NULL) {
		h->depth = 0;
		if (ends)
			half_says_goodbye(w, h);
		return;
	}
	if (!ends && h->depth == 0)
		letter_begin(&h->next, tag);
	if (ends || whole)
		h->depth -= ends;
	else
		h->depth++;
	if (h->depth == 0 && (ends || whole)) {
		h->next.end = h->written;
		*vec_push(&h->letters) = h->next;
		if (is_stanza(&h->next))
			half_says(w, h);
		else
			half_counts(w, h, tag);
	}
}

static void
half_scan(struct wire *w, struct half *h, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		h->written++;
		if (p[i] == '<') {
			h->in_tag = true;
			h->tag.n = 0;
		} else if (p[i] == '>' && h->in_tag) {
			h->in_tag = false;
			if (h->tag.n != 0)
				half_tag(w, h);
		} else if (h->in_tag) {
			buf_add(&h->tag, &p[i], 1);
		}
	}
}

/* Those behind `until', and those before that may not have been dealt with. */
static void
half_lose(struct wire *w, unsigned side, bool handed_too)
{
	struct half *h = &w->halves[side];
	uint32_t n = 0;

	for (size_t i = 0; i < h->letters.n; i++) {
		struct letter *l = &h->letters.p[i];

		if (l->handed && !handed_too)
			h->letters.p[n++] = *l;
		else if (is_stanza(l))
			w->all->lost(w->all->arg, l);
	}
	h->letters.n = n;
	buf_done(&h->data);
	half_is_over(w, h);
}

static void
half_hand_over(struct wire *w, unsigned side)
{
	struct half *h = &w->halves[side];
	const struct conn *to = w->ends[!side].conn;
	uint64_t taken = h->fed - (to != NULL ? to->mem->in.n : 0);

	for (size_t i = 0; i < h->letters.n; i++) {
		struct letter *l = &h->letters.p[i];

		if (l->handed || l->end > taken)
			continue;
		l->handed = true;
		if (!is_stanza(l))
			continue;
		w->all->n.handed++;
		w->all->handed(w->all->arg, l);
	}
}

/* --- bytes ------------------------------------------------------------------------ */

static int64_t
late_us(const struct wires *all)
{
	if (!all->slow || rand_below(all->rand, 3) != 0)
		return *all->now_us;
	return *all->now_us + (int64_t)rand_below(all->rand, LATE_US);
}

static void
half_make_room(struct wire *w, unsigned side)
{
	const struct half *h = &w->halves[side];

	if (w->ends[side].conn == NULL || w->all->room == SIZE_MAX)
		return;
	conn_mem_take(w->ends[side].conn,
		h->data.n < w->all->room ? w->all->room - h->data.n : 0);
}

static void
on_write(void *arg, const char *p, size_t n)
{
	struct wire_end *e = arg;
	struct half *h = &e->wire->halves[e->side];

	half_scan(e->wire, h, p, n);
	if (e->wire->cut ||
		(e->wire->to == NULL && e->wire->ends[!e->side].conn == NULL)) {
		half_lose(e->wire, e->side, false);
		return;
	}
	if (h->data.n == 0)
		h->due_us = MAX(h->due_us, late_us(e->wire->all));
	buf_add(&h->data, p, n);
}

static void
on_lost(void *arg, const char *p, size_t n)
{
	struct wire_end *e = arg;

	half_scan(e->wire, &e->wire->halves[e->side], p, n);
	half_lose(e->wire, e->side, false);
}

/* What it has not read it never will. */
static void
on_closed(void *arg)
{
	struct wire_end *e = arg;

	e->conn = NULL;
	e->wire->halves[e->side].closed = true;
	half_lose(e->wire, !e->side, true);
}

static void
end_init(struct wire *w, unsigned side, unsigned world, struct shard *sh)
{
	struct wire_end *e = &w->ends[side];
	struct conn_mem_sink sink = { on_write, on_closed, e };

	*e = (struct wire_end){ .wire = w, .side = side, .world = world };
	e->conn = conn_new_mem(sh->net, &sink);
	conn_mem_tell_lost(e->conn, on_lost);
	half_make_room(w, side);
}

static void
end_hang_up(struct wire_end *e)
{
	struct conn *conn = e->conn;

	half_is_over(e->wire, &e->wire->halves[e->side]);
	e->conn = NULL;
	if (conn != NULL)
		conn_mem_hangup(conn);
}

/* False: nothing of it is due. */
static bool
half_turn(struct wire *w, unsigned side)
{
	struct half *h = &w->halves[side];
	struct wire_end *to = &w->ends[!side];
	size_t n = h->data.n;
	struct buf in;

	if (to->conn == NULL || h->stalls || h->due_us > *w->all->now_us)
		return false;
	if (n == 0) {
		half_hand_over(w, side);
		if (!h->closed)
			return false;
		half_lose(w, side, false);
		end_hang_up(to);
		return true;
	}
	if (rand_below(w->all->rand, 2) == 0)
		n = 1 + rand_below(w->all->rand, n);
	in = h->data;
	h->data = (struct buf)BUF_INIT;
	buf_add(&h->data, in.p + n, in.n - n);
	if (to->conn->life == LIFE_OPEN) {
		h->fed += n;
		conn_mem_feed(to->conn, in.p, n);
	}
	buf_done(&in);
	half_hand_over(w, side);
	h->due_us = late_us(w->all);
	half_make_room(w, side);
	return true;
}

static bool
end_turn(struct wire_end *e)
{
	if (!e->wire->cut || e->conn == NULL ||
		e->notice_us > *e->wire->all->now_us)
		return false;
	end_hang_up(e);
	return true;
}

/* A server that stops accepts nothing: then it is as good as cut. */
static void
wire_accept(struct wire *w)
{
	struct shard *to = w->to;

	w->to = NULL;
	if (to->streams_closed) {
		wire_cut(w);
		return;
	}
	end_init(w, 1, !w->ends[0].world, to);
	s2s_in_kinds[0].accept_raw(to,
		&(struct listen_arrival){ .conn = w->ends[1].conn,
			.since_us = clock_mono_us(to->server->clock) });
}

static bool
wire_turn(struct wire *w)
{
	bool busy = false;

	if (w->to != NULL && !w->cut) {
		wire_accept(w);
		return true;
	}
	for (unsigned side = 0; side < 2; side++) {
		busy = end_turn(&w->ends[side]) || busy;
		busy = (!w->cut && half_turn(w, side)) || busy;
	}
	if (w->ends[0].conn == NULL && w->ends[1].conn == NULL) {
		LIST_REMOVE(w, in); /* who was told may still write */
		LIST_INSERT_HEAD(&w->all->ended, w, in);
	}
	return busy;
}

bool
wires_turn(struct wires *all)
{
	struct wire *w, *next;
	bool busy = false;

	for (w = LIST_FIRST(&all->list); w != NULL; w = next) {
		next = LIST_NEXT(w, in);
		busy = wire_turn(w) || busy;
	}
	return busy;
}

int64_t
wires_next_us(const struct wires *all)
{
	int64_t next = INT64_MAX;
	const struct wire *w;

	LIST_FOREACH (w, &all->list, in) {
		for (unsigned side = 0; side < 2; side++) {
			const struct half *h = &w->halves[side];

			if (w->cut && w->ends[side].conn != NULL)
				next = MIN(next, w->ends[side].notice_us);
			else if (!w->cut && !h->stalls && h->data.n != 0)
				next = MIN(next, h->due_us);
		}
	}
	return next;
}

void
wires_quiet(struct wires *all)
{
	struct wire *w;

	LIST_FOREACH (w, &all->list, in) {
		for (unsigned side = 0; side < 2; side++) {
			struct half *h = &w->halves[side];
			uint32_t n = 0;

			half_hand_over(w, side);
			for (size_t i = 0; i < h->letters.n; i++)
				if (!h->letters.p[i].handed)
					h->letters.p[n++] = h->letters.p[i];
			h->letters.n = n;
		}
	}
}

/* --- trouble ---------------------------------------------------------------------- */

static bool
wire_stands(const struct wire *w)
{
	return !w->cut && w->ends[0].conn != NULL && w->ends[1].conn != NULL;
}

struct wire *
wires_any(struct wires *all)
{
	struct wire *w;
	unsigned n = 0;
	uint64_t which;

	LIST_FOREACH (w, &all->list, in)
		n += wire_stands(w);
	if (n == 0)
		return NULL;
	which = rand_below(all->rand, n);
	LIST_FOREACH (w, &all->list, in)
		if (wire_stands(w) && which-- == 0)
			break;
	return w;
}

struct wire *
wires_fullest(struct wires *all)
{
	struct wire *w, *most = NULL;
	size_t n = 0;

	LIST_FOREACH (w, &all->list, in) {
		size_t here = w->halves[0].data.n + w->halves[1].data.n;

		if (wire_stands(w) && (most == NULL || here > n)) {
			most = w;
			n = here;
		}
	}
	return most;
}

void
wire_cut(struct wire *w)
{
	w->all->n.cut++;
	for (unsigned side = 0; side < 2; side++) {
		w->halves[side].due_us = 0;
		w->halves[side].stalls = false;
		if (rand_below(w->all->rand, 2) == 0)
			(void)half_turn(w, side);
		w->ends[side].notice_us = *w->all->now_us;
		if (rand_below(w->all->rand, 2) == 0)
			w->ends[side].notice_us +=
				(int64_t)rand_below(w->all->rand, NOTICE_US);
	}
	w->cut = true;
	w->to = NULL;
	for (unsigned side = 0; side < 2; side++) {
		half_hand_over(w, side);
		half_lose(w, side, false);
	}
}

void
wire_stall(struct wire *w)
{
	struct half *h = &w->halves[rand_below(w->all->rand, 2)];

	h->stalls = !h->stalls;
}

void
wires_go_on(struct wires *all)
{
	struct wire *w;

	LIST_FOREACH (w, &all->list, in)
		w->halves[0].stalls = w->halves[1].stalls = false;
}

void
wires_kill(struct wires *all, unsigned world)
{
	struct wire *w;

	LIST_FOREACH (w, &all->list, in) {
		for (unsigned side = 0; side < 2; side++) {
			if (w->ends[side].world != world)
				continue;
			w->cut = true;
			w->to = NULL;
			w->ends[!side].notice_us = *all->now_us;
			half_hand_over(w, !side);
			half_lose(w, side, false);
			half_lose(w, !side, true);
			end_hang_up(&w->ends[side]);
		}
	}
}

/* --- all of them ------------------------------------------------------------------ */

struct conn *
wires_open(struct wires *all, unsigned from, struct shard *sh, struct shard *to)
{
	struct wire *w = xcalloc(1, sizeof(*w));

	w->all = all;
	all->n.opened++;
	LIST_INSERT_HEAD(&all->list, w, in);
	w->to = to;
	w->ends[1] = (struct wire_end){ .wire = w, .side = 1, .world = !from };
	end_init(w, 0, from, sh);
	return w->ends[0].conn;
}

void
wires_init(struct wires *all, struct rand_source *rand, const int64_t *now_us)
{
	*all = (struct wires){ .rand = rand, .now_us = now_us,
		.room = SIZE_MAX };
	LIST_INIT(&all->list);
	LIST_INIT(&all->ended);
}

void
wires_done(struct wires *all)
{
	struct wire_list *lists[] = { &all->list, &all->ended };
	struct wire *w;

	for (size_t i = 0; i < COUNT(lists);) {
		w = LIST_FIRST(lists[i]);
		if (w == NULL) {
			i++;
			continue;
		}
		LIST_REMOVE(w, in);
		for (unsigned side = 0; side < 2; side++) {
			buf_done(&w->halves[side].data);
			buf_done(&w->halves[side].tag);
			vec_done(&w->halves[side].letters);
			vec_done(&w->halves[side].all);
		}
		free(w);
	}
}
