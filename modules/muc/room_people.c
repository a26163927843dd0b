/*
 * room_people.c - who is in a room.
 *
 * Owner shard of the room.  Invariant: an occupant has a client; each stands in the
 * tables under what it has now.
 */
#include "config.h"

#include "room_people.h"

#include <assert.h>

static uint64_t
hash_of(const struct room_people *p, struct str text)
{
	return hash_bytes(&p->hash, text.p, text.n);
}

static struct str
occupant_key(const struct occupant *o)
{
	return (struct str){ o->names + (o->key_bytes != 0 ? o->nick_bytes : 0),
		o->key_bytes != 0 ? o->key_bytes : o->nick_bytes };
}

/* --- ids ------------------------------------------------------------------------------ */

void
people_set_secret(struct room_people *p, struct str secret)
{
	assert(secret.n <= sizeof(p->secret));
	memcpy(p->secret, secret.p, secret.n);
	p->secret_bytes = secret.n;
}

/* Who is in the room has his with him: it goes with all that he says. */
void
people_id(const struct room_people *p, struct jid user,
	unsigned char out[OCCUPANT_ID_BYTES])
{
	size_t at = people_by_user_start(p, user);
	const struct occupant *o = people_by_user(p, user, &at);
	uint8_t digest[SCRAM_DIGEST_MAX];

	if (o != NULL) {
		memcpy(out, o->id, OCCUPANT_ID_BYTES);
		return;
	}
	scram_hmac(SCRAM_SHA_256, people_secret(p), jid_bare_str(user), digest);
	memcpy(out, digest, OCCUPANT_ID_BYTES);
}

/* --- finding -------------------------------------------------------------------------- */

/* Those that read the same are one user's (people_in_the_way()), and few. */
static struct occupant *
find_nick(const struct room_people *p, struct str nick, struct str key)
{
	uint64_t hash = hash_of(p, key);
	size_t at = table_start(&p->by_key, hash);
	struct occupant *o;

	while ((o = table_next(&p->by_key, hash, &at)) != NULL) {
		if (str_eq(occupant_nick(o), nick))
			break;
	}
	return o;
}

struct occupant *
people_by_nick(const struct room_people *p, struct str nick)
{
	struct arena *a = arena_new();
	struct occupant *o = NULL;
	struct str key;

	if (people_key(&key, a, nick))
		o = find_nick(p, nick, key);
	arena_free(a);
	return o;
}

struct room_client *
people_by_address(const struct room_people *p, struct jid full)
{
	uint64_t hash = hash_of(p, jid_bare_str(full));
	size_t at = table_start(&p->by_user, hash);
	struct room_client *c;

	while ((c = table_next(&p->by_user, hash, &at)) != NULL) {
		if (jid_eq(c->jid, full))
			break;
	}
	return c;
}

size_t
people_by_user_start(const struct room_people *p, struct jid user)
{
	return table_start(&p->by_user, hash_of(p, jid_bare_str(user)));
}

struct occupant *
people_by_user(const struct room_people *p, struct jid user, size_t *at_io)
{
	uint64_t hash = hash_of(p, jid_bare_str(user));
	const struct room_client *c;

	while ((c = table_next(&p->by_user, hash, at_io)) != NULL) {
		if (jid_eq_bare(c->jid, user) &&
			TAILQ_FIRST(&c->occupant->clients) == c)
			return c->occupant;
	}
	return NULL;
}

struct occupant *
people_in_the_way(const struct room_people *p, struct str key, struct jid user)
{
	uint64_t hash = hash_of(p, key);
	size_t at = table_start(&p->by_key, hash);
	struct occupant *o;

	while ((o = table_next(&p->by_key, hash, &at)) != NULL) {
		if (str_eq(occupant_key(o), key) && !jid_eq_bare(o->user, user))
			break;
	}
	return o;
}

bool
people_key(struct str *key_out, struct arena *a, struct str nick)
{
	return nick.n != 0 && nick.n <= JID_PART_MAX &&
		precis_nickname_key(key_out, a, nick, NULL) &&
		key_out->n <= UINT16_MAX;
}

/* --- occupants -------------------------------------------------------------------------- */

static void
name_occupant(struct room_people *p, struct occupant *o, struct str nick,
	struct str key)
{
	bool same = str_eq(nick, key);

	o->nick_bytes = (uint16_t)nick.n;
	o->key_bytes = same ? 0 : (uint16_t)key.n;
	o->names = xmalloc(nick.n + o->key_bytes);
	memuse_add_part(MEMUSE_OCCUPANT, o->names);
	memcpy(o->names, nick.p, nick.n);
	memcpy(o->names + nick.n, key.p, o->key_bytes);
	table_add(&p->by_key, hash_of(p, key), o);
}

static void
unname_occupant(struct room_people *p, struct occupant *o)
{
	table_remove(&p->by_key, hash_of(p, occupant_key(o)), o);
	memuse_remove_part(MEMUSE_OCCUPANT, o->names);
	free(o->names);
}

/* user: of a client that is about to be his. */
static struct occupant *
occupant_new(struct room_people *p, struct jid user, struct str nick,
	struct str key)
{
	struct occupant *o = xcalloc(1, sizeof(*o));

	o->number = ++p->last;
	o->user = jid_bare(user);
	TAILQ_INIT(&o->clients);
	people_id(p, user, o->id);
	name_occupant(p, o, nick, key);
	TAILQ_INSERT_TAIL(&p->occupants, o, link);
	memuse_add(MEMUSE_OCCUPANT, o);
	p->n++;
	return o;
}

static void
occupant_free(struct room_people *p, struct occupant *o)
{
	struct people_walk *w;

	assert(TAILQ_EMPTY(&o->clients));
	LIST_FOREACH (w, &p->walks, link)
		if (w->next == o)
			w->next = TAILQ_NEXT(o, link);
	unname_occupant(p, o);
	TAILQ_REMOVE(&p->occupants, o, link);
	p->n--;
	memuse_remove(MEMUSE_OCCUPANT, o);
	free(o);
}

/* The one of nick, who is the same user, or a new one. */
static struct occupant *
occupant_for(struct room_people *p, struct jid user, struct str nick,
	struct str key)
{
	struct occupant *o = find_nick(p, nick, key);

	if (o == NULL)
		return occupant_new(p, user, nick, key);
	assert(jid_eq_bare(o->user, user));
	return o;
}

/* --- what it holds ----------------------------------------------------------------------- */

/* c and its presence come (1), or go (-1), in the share of his user (budget.h). */
static void
client_count(const struct room_people *p, const struct room_client *c, int sign)
{
	int64_t bytes = sign * (memuse_size(c) + memuse_size(c->presence));

	memuse_count(MEMUSE_OCCUPANT, 0, bytes);
	if (p->server != NULL)
		share_count(budget_share(p->server,
				    server_hash(p->server, jid_bare_str(c->jid))),
			bytes);
}

static void
tables_count(struct room_people *p)
{
	size_t bytes = (p->by_key.size + p->by_user.size) *
		sizeof(struct table_slot);

	memuse_count(MEMUSE_OCCUPANT, 0,
		(int64_t)bytes - (int64_t)p->table_bytes);
	p->table_bytes = bytes;
}

/* --- clients ------------------------------------------------------------------------------ */

struct room_client *
people_enter(struct room_people *p, struct jid full, struct str nick,
	struct str key)
{
	struct room_client *c = xcalloc(1, sizeof(*c) + full.len);
	char *text = (char *)(c + 1);

	memcpy(text, full.text, full.len);
	c->jid = full;
	c->jid.text = text;
	c->occupant = occupant_for(p, c->jid, nick, key);
	client_count(p, c, 1);
	TAILQ_INSERT_HEAD(&c->occupant->clients, c, link);
	table_add(&p->by_user, hash_of(p, jid_bare_str(c->jid)), c);
	p->n_clients++;
	tables_count(p);
	return c;
}

/* c is o's no longer, whose address it may have kept. */
static void
client_part(struct occupant *o, struct room_client *c)
{
	TAILQ_REMOVE(&o->clients, c, link);
	if (o->user.text == c->jid.text && !TAILQ_EMPTY(&o->clients))
		o->user.text = TAILQ_FIRST(&o->clients)->jid.text;
}

void
people_rename(struct room_people *p, struct room_client *c, struct str nick,
	struct str key)
{
	struct occupant *old = c->occupant, *o = find_nick(p, nick, key);
	bool alone = TAILQ_NEXT(TAILQ_FIRST(&old->clients), link) == NULL;

	if (o == NULL && alone) { /* he keeps his place in the order */
		unname_occupant(p, old);
		name_occupant(p, old, nick, key);
		tables_count(p);
		return;
	}
	if (o == NULL) {
		o = occupant_new(p, c->jid, nick, key);
		o->role = old->role;
		o->aff = old->aff;
	}
	client_part(old, c);
	TAILQ_INSERT_HEAD(&o->clients, c, link);
	c->occupant = o;
	if (alone)
		occupant_free(p, old);
	tables_count(p);
}

bool
people_leave(struct room_people *p, struct room_client *c)
{
	struct occupant *o = c->occupant;
	bool last;

	assert(c->join == NULL);
	table_remove(&p->by_user, hash_of(p, jid_bare_str(c->jid)), c);
	client_part(o, c);
	p->n_clients--;
	client_count(p, c, -1);
	free(c->presence);
	free(c);
	last = TAILQ_EMPTY(&o->clients);
	if (last)
		occupant_free(p, o);
	tables_count(p);
	return last;
}

/* --- walks -------------------------------------------------------------------------- */

void
people_walk_begin(struct room_people *p, struct people_walk *w, bool owed)
{
	*w = (struct people_walk){ .told = owed ? 0 : p->last };
	w->owed = p->last;
	LIST_INSERT_HEAD(&p->walks, w, link);
	people_walk_again(p, w);
}

void
people_walk_again(const struct room_people *p, struct people_walk *w)
{
	w->next = TAILQ_FIRST(&p->occupants);
	w->last = p->last;
}

struct occupant *
people_walk_next(struct people_walk *w)
{
	struct occupant *o = w->next;

	if (o == NULL || o->number > w->last) {
		w->owed = w->told;
		return NULL;
	}
	w->next = TAILQ_NEXT(o, link);
	w->told = MAX(w->told, o->number);
	return o;
}

void
people_walk_end(struct people_walk *w)
{
	LIST_REMOVE(w, link);
}

/* --- presence ------------------------------------------------------------------------- */

void
people_say(const struct room_people *p, struct room_client *c,
	const struct elem *presence)
{
	struct room_clients *all = &c->occupant->clients;
	struct buf packed = BUF_INIT;

	elem_pack(&packed, presence);
	client_count(p, c, -1);
	free(c->presence);
	c->presence = xmalloc(packed.n);
	memcpy(c->presence, packed.p, packed.n);
	c->presence_bytes = (uint32_t)packed.n;
	client_count(p, c, 1);
	buf_done(&packed);
	TAILQ_REMOVE(all, c, link);
	TAILQ_INSERT_HEAD(all, c, link);
}

struct elem *
people_presence(const struct occupant *o, struct arena *a)
{
	const struct room_client *c = TAILQ_FIRST(&o->clients);

	return elem_unpack(a, (struct str){ c->presence, c->presence_bytes });
}

/* --- private messages --------------------------------------------------------------------- */

/* 0 is no hash. */
static uint32_t
id_hash(const struct room_people *p, struct str id)
{
	return (uint32_t)hash_bytes(&p->ids, id.p, id.n) | 1;
}

static uint32_t
private_hash(const struct room_people *p, const struct room_client *c, struct str id)
{
	return (id_hash(p, id) ^ id_hash(p, jid_str(c->jid))) | 1;
}

void
people_note_private(struct room_people *p, struct room_client *c, struct str id)
{
	c->private_ids[c->private_at] = id_hash(p, id);
	c->private_at = (uint8_t)((c->private_at + 1u) % COUNT(c->private_ids));
	if (p->privates == NULL) {
		p->privates = xcalloc(PEOPLE_PRIVATES, sizeof(*p->privates));
		memuse_add_part(MEMUSE_OCCUPANT, p->privates);
	}
	p->privates[p->privates_at] = private_hash(p, c, id);
	p->privates_at = (p->privates_at + 1) % PEOPLE_PRIVATES;
}

bool
people_had_private(const struct room_people *p, const struct room_client *c,
	struct str id)
{
	uint32_t hash = private_hash(p, c, id);

	for (size_t i = 0; i < COUNT(c->private_ids); i++) {
		if (c->private_ids[i] == id_hash(p, id))
			return true;
	}
	for (size_t i = 0; p->privates != NULL && i < PEOPLE_PRIVATES; i++) {
		if (p->privates[i] == hash)
			return true;
	}
	return false;
}

/* --- all of them ---------------------------------------------------------------------------- */

void
people_init(struct room_people *p, const struct hash_key *hash)
{
	*p = (struct room_people){ .hash = *hash, .ids = *hash };
	TAILQ_INIT(&p->occupants);
	LIST_INIT(&p->walks);
}

void
people_done(struct room_people *p)
{
	struct occupant *o;

	while ((o = TAILQ_FIRST(&p->occupants)) != NULL)
		people_leave(p, TAILQ_FIRST(&o->clients));
	table_done(&p->by_key);
	table_done(&p->by_user);
	memuse_remove_part(MEMUSE_OCCUPANT, p->privates);
	free(p->privates);
	p->privates = NULL;
	p->by_key = p->by_user = (struct table){ .n = 0 };
	tables_count(p);
}
