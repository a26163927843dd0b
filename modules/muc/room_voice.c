/*
 * room_voice.c - whom a moderator has given voice, or taken it from.
 *
 * Owner shard of the room.  Invariant: each bare address stands here once, and nobody with
 * ROLE_NONE.
 */
#include "config.h"

#include "room_voice.h"

struct room_voice {
	TAILQ_ENTRY(room_voice) link;
	struct jid user; /* bare; the bytes lie behind the object */
	enum room_role role;
};

static uint64_t
hash_of(const struct room_voices *v, struct jid user)
{
	struct str bare = jid_bare_str(user);

	return hash_bytes(&v->hash, bare.p, bare.n);
}

static struct room_voice *
find(const struct room_voices *v, struct jid user)
{
	uint64_t hash = hash_of(v, user);
	size_t at = table_start(&v->by_user, hash);
	struct room_voice *found;

	while ((found = table_next(&v->by_user, hash, &at)) != NULL) {
		if (jid_eq_bare(found->user, user))
			break;
	}
	return found;
}

static void
forget(struct room_voices *v, struct room_voice *one)
{
	table_remove(&v->by_user, hash_of(v, one->user), one);
	TAILQ_REMOVE(&v->all, one, link);
	v->n--;
	free(one);
}

static void
add(struct room_voices *v, struct jid user, enum room_role role)
{
	struct room_voice *one = xcalloc(1, sizeof(*one) + user.bare_len);
	char *text = (char *)(one + 1);

	memcpy(text, user.text, user.bare_len);
	one->user = jid_bare(user);
	one->user.text = text;
	one->role = role;
	table_add(&v->by_user, hash_of(v, one->user), one);
	TAILQ_INSERT_TAIL(&v->all, one, link);
	v->n++;
}

void
voices_set(struct room_voices *v, struct jid user, enum room_role role)
{
	struct room_voice *one = find(v, user);

	if (one != NULL)
		forget(v, one);
	if (role == ROLE_NONE)
		return;
	if (v->n == VOICES_MAX)
		forget(v, TAILQ_FIRST(&v->all));
	add(v, user, role);
}

enum room_role
voices_find(const struct room_voices *v, struct jid user)
{
	const struct room_voice *one = find(v, user);

	return one != NULL ? one->role : ROLE_NONE;
}

void
voices_clear(struct room_voices *v)
{
	struct room_voice *one;

	while ((one = TAILQ_FIRST(&v->all)) != NULL)
		forget(v, one);
}

void
voices_init(struct room_voices *v, const struct hash_key *hash)
{
	*v = (struct room_voices){ .hash = *hash };
	TAILQ_INIT(&v->all);
}

void
voices_done(struct room_voices *v)
{
	voices_clear(v);
	table_done(&v->by_user);
}
