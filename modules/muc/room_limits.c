/*
 * room_limits.c - how often somebody may do something in a room.
 *
 * Owner shard of the room.
 */
#include "config.h"

#include "room.h"

/* Rooms and users of a shard that are remembered for a minute; of more, those who do
 * most. */
#define KEYS 8192

/* What each of them is bounded by, and what somebody is told at the bound. */
static const struct doing {
	size_t off; /* in struct muc_conf; 0 there: as often as he likes */
	const char *why;
} doings[DOINGS] = {
	[DOING_MESSAGE] = { offsetof(struct muc_conf, message_rate),
		"Too many messages to this room within a minute" },
	[DOING_JOIN] = { offsetof(struct muc_conf, join_rate),
		"This room was entered too often within a minute" },
	[DOING_PRESENCE] = { offsetof(struct muc_conf, presence_rate),
		"Presence has changed too often within a minute" },
	[DOING_NICK] = { offsetof(struct muc_conf, nick_rate),
		"The nickname has changed too often within a minute" },
	[DOING_REQUEST] = { offsetof(struct muc_conf, request_rate),
		"Too many invitations, or requests, within a minute" },
};

/* --- within a minute ---------------------------------------------------------------- */

static struct throttle *
throttle_of(const struct room *r)
{
	struct muc_shard *of =
		module_shard_state(module_of_entity(&r->e), r->e.shard);

	if (of->doings == NULL)
		of->doings = throttle_new(KEYS);
	return of->doings;
}

bool
limits_count(struct room *r, struct jid user, enum room_doing what)
{
	const char *conf = (const char *)room_conf(r);
	int64_t max = *(const int64_t *)(const void *)(conf + doings[what].off);
	struct arena *a;
	struct str key;
	bool few;

	if (max == 0)
		return true;
	a = arena_new();
	key = arena_printf(a, "%d %.*s %.*s", (int)what,
		STR_ARG(jid_bare_str(user)), STR_ARG(jid_str(r->e.jid)));
	few = throttle_add(throttle_of(r), key, r->e.shard->now_us) <= max;
	arena_free(a);
	return few;
}

/* --- slow mode (XEP-0500 §6) --------------------------------------------------------- */

void
limits_done(struct room_limits *l)
{
	rate_done(&l->slow);
	*l = (struct room_limits){ .slow_us = 0 };
}

/* What has no text does not count. */
static bool
is_too_soon(struct room *r, const struct stanza *st)
{
	struct room_limits *l = &r->limits;
	int64_t us = (int64_t)r->config.slow_mode * US_PER_S;

	if (us != l->slow_us) {
		limits_done(l);
		l->slow_us = us;
	}
	return us != 0 && st->type == MESSAGE_GROUPCHAT &&
		stanza_child(st, NS_CLIENT, "body") != NULL &&
		!rate_admit(&l->slow, jid_bare_str(st->from), 1, us,
			r->e.shard->now_us);
}

/* --- may he? -------------------------------------------------------------------------- */

/* RFC 6120 §8.3.3.12, and of type wait, as XEP-0500 §6 has it. */
static bool
refuse(struct room *r, struct stanza *st, struct str why)
{
	room_refuse_why(r, st, COND_POLICY_VIOLATION, "wait", why);
	return false;
}

bool
limits_let(struct room *r, struct stanza *st, enum room_doing what)
{
	/* who rules here, such as a bot that brings what is said elsewhere */
	if (what == DOING_MESSAGE &&
		room_affiliation(r, st->from) >= AFF_ADMIN)
		return true;
	if (!limits_count(r, st->from, what))
		return refuse(r, st, str_c(doings[what].why));
	if (what == DOING_MESSAGE && is_too_soon(r, st))
		return refuse(r, st,
			arena_printf(st->arena, "In this room there have to be "
						"%u seconds between messages",
				(unsigned)r->config.slow_mode));
	return true;
}

size_t
limits_bytes(const struct elem *e)
{
	struct buf packed = BUF_INIT;
	size_t n;

	elem_pack(&packed, e);
	n = packed.n;
	buf_done(&packed);
	return n;
}

bool
limits_fit_presence(const struct room *r, const struct stanza *st)
{
	size_t max = (size_t)room_conf(r)->max_presence;

	return stanza_bytes(st) <= max || limits_bytes(st->root) <= max;
}

bool
limits_let_presence(struct room *r, struct stanza *st)
{
	if (limits_fit_presence(r, st))
		return true;
	room_refuse_why(r, st, COND_NOT_ACCEPTABLE, "modify",
		arena_printf(st->arena,
			"Presence in this room is of %zu bytes at most",
			(size_t)room_conf(r)->max_presence));
	return false;
}
