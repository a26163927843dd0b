/*
 * room_members.c - the affiliations of a room.
 *
 * Owner shard of the room.  Invariant: nobody stands here with AFF_NONE, and owners is how
 * many of them are AFF_OWNER.
 */
#include "config.h"

#include "room_members.h"

#include "muc_accounts.h"

/* Of address, nickname and reason, on the average. */
#define MEMBER_BYTES 256
#define MEMBERS_BYTES_MORE 8192

/* --- finding -------------------------------------------------------------------------- */

static uint64_t
hash_of(const struct room_members *m, struct str text)
{
	return hash_bytes(&m->hash, text.p, text.n);
}

static struct room_member *
find(const struct room_members *m, struct str text)
{
	uint64_t hash = hash_of(m, text);
	size_t at = table_start(&m->by_jid, hash);
	struct room_member *found;

	while ((found = table_next(&m->by_jid, hash, &at)) != NULL) {
		if (str_eq(jid_str(found->jid), text))
			break;
	}
	return found;
}

struct room_member *
members_find(const struct room_members *m, struct jid jid)
{
	return find(m, jid_bare_str(jid));
}

enum room_affiliation
members_affiliation(const struct room_members *m, struct jid jid)
{
	const struct room_member *found = find(m, jid_bare_str(jid));

	if (found == NULL && jid_local(jid).n != 0)
		found = find(m, jid_domain(jid));
	return found != NULL ? found->aff : AFF_NONE;
}

const struct room_member *
members_reserved(const struct room_members *m, struct str key, struct jid user)
{
	uint64_t hash = hash_of(m, key);
	size_t at = table_start(&m->by_key, hash);
	const struct room_member *one;

	while ((one = table_next(&m->by_key, hash, &at)) != NULL) {
		if (str_is(key, one->key) && !jid_eq_bare(one->jid, user))
			break;
	}
	return one;
}

bool
members_are_full(const struct room_members *m, int64_t max)
{
	return m->n >= (size_t)max ||
		m->bytes >= (size_t)max * MEMBER_BYTES + MEMBERS_BYTES_MORE;
}

/* --- changing ---------------------------------------------------------------------------- */

static void
text_set(struct room_members *m, char **text_io, struct str text)
{
	memuse_remove_part(MEMUSE_AFFILIATION, *text_io);
	m->bytes -= *text_io != NULL ? strlen(*text_io) : 0;
	free(*text_io);
	*text_io = text.n != 0 ? str_dup(text) : NULL;
	m->bytes += text.n;
	memuse_add_part(MEMUSE_AFFILIATION, *text_io);
}

static void
tables_count(struct room_members *m)
{
	size_t bytes = (m->by_jid.size + m->by_key.size) *
		sizeof(struct table_slot);

	memuse_count(MEMUSE_AFFILIATION, 0,
		(int64_t)bytes - (int64_t)m->table_bytes);
	m->table_bytes = bytes;
}

/* One that cannot be read, of a database that was edited, is nobody's. */
static void
nick_set(struct room_members *m, struct room_member *one, struct str nick)
{
	struct arena *a = arena_new();
	struct str key = STR_NONE;

	if (one->key != NULL)
		table_remove(&m->by_key, hash_of(m, str_c(one->key)), one);
	if (nick.n != 0)
		(void)precis_nickname_key(&key, a, nick, NULL);
	text_set(m, &one->nick, key.n != 0 ? nick : STR_NONE);
	text_set(m, &one->key, key);
	if (one->key != NULL)
		table_add(&m->by_key, hash_of(m, key), one);
	arena_free(a);
}

static struct room_member *
member_new(struct room_members *m, struct jid jid)
{
	struct room_member *one = xcalloc(1, sizeof(*one) + jid.bare_len);
	char *text = (char *)(one + 1);

	memcpy(text, jid.text, jid.bare_len);
	one->jid = jid_bare(jid);
	one->jid.text = text;
	table_add(&m->by_jid, hash_of(m, jid_str(one->jid)), one);
	TAILQ_INSERT_TAIL(&m->all, one, link);
	memuse_add(MEMUSE_AFFILIATION, one);
	m->bytes += one->jid.bare_len;
	m->n++;
	return one;
}

static void
member_free(struct room_members *m, struct room_member *one)
{
	table_remove(&m->by_jid, hash_of(m, jid_str(one->jid)), one);
	TAILQ_REMOVE(&m->all, one, link);
	m->n--;
	m->owners -= one->aff == AFF_OWNER;
	nick_set(m, one, STR_NONE);
	text_set(m, &one->reason, STR_NONE);
	m->bytes -= one->jid.bare_len;
	memuse_remove(MEMUSE_AFFILIATION, one);
	free(one);
}

/* §9.1: who is banned has reserved nothing any more. */
static struct str
nick_after(const struct room_member *one, enum room_affiliation aff,
	struct str nick)
{
	if (aff == AFF_OUTCAST)
		return STR("");
	if (nick.p == NULL && one != NULL && one->nick != NULL)
		return str_c(one->nick);
	return nick;
}

void
members_set(struct room_members *m, struct jid jid, enum room_affiliation aff,
	struct str nick, struct str reason)
{
	struct room_member *one = members_find(m, jid);

	if (aff == AFF_NONE) {
		if (one != NULL)
			member_free(m, one);
		return;
	}
	if (one == NULL)
		one = member_new(m, jid);
	m->owners -= one->aff == AFF_OWNER;
	one->aff = aff;
	m->owners += one->aff == AFF_OWNER;
	if (aff == AFF_OUTCAST || nick.p != NULL)
		nick_set(m, one, nick_after(one, aff, nick));
	text_set(m, &one->reason, reason);
	tables_count(m);
}

void
members_init(struct room_members *m, const struct hash_key *hash)
{
	*m = (struct room_members){ .hash = *hash };
	TAILQ_INIT(&m->all);
}

void
members_done(struct room_members *m)
{
	struct room_member *one;

	while ((one = TAILQ_FIRST(&m->all)) != NULL)
		member_free(m, one);
	table_done(&m->by_jid);
	table_done(&m->by_key);
	m->by_jid = m->by_key = (struct table){ .n = 0 };
	tables_count(m);
}

/* --- the store ------------------------------------------------------------------------ */

static void
write_item(struct buf *out, enum room_affiliation aff, struct str nick,
	struct str reason)
{
	struct arena *a = arena_new();
	struct elem *item = elem_new(a, NS_MUC_ADMIN, "item");

	elem_set_attr(a, item, "affiliation", str_c(affiliation_name(aff)));
	if (nick.n != 0)
		elem_set_attr(a, item, "nick", nick);
	if (reason.n != 0)
		elem_add_with_text(a, item, NS_MUC_ADMIN, "reason", reason);
	stored_write(out, item);
	arena_free(a);
}

void
members_store(const struct room_members *m, struct store_tx *tx,
	struct store_place at, struct jid jid, enum room_affiliation aff,
	struct str nick, struct str reason)
{
	struct buf value = BUF_INIT;

	if (m->shard != NULL)
		muc_accounts_note(m->shard, tx, at, jid, aff);
	if (aff == AFF_NONE) {
		store_tx_delete(tx, at, jid_bare_str(jid));
		return;
	}
	write_item(&value, aff, nick_after(members_find(m, jid), aff, nick),
		reason);
	store_tx_set(tx, at, jid_bare_str(jid), buf_str(&value));
	buf_done(&value);
}

void
members_create(const struct room_members *m, struct store_tx *tx,
	struct store_place at, struct jid jid, enum room_affiliation aff)
{
	struct buf value = BUF_INIT;

	if (m->shard != NULL)
		muc_accounts_note(m->shard, tx, at, jid, aff);

	write_item(&value, aff, STR_NONE, STR_NONE);
	store_tx_create(tx, at, jid_bare_str(jid), buf_str(&value));
	buf_done(&value);
}

void
members_delete(const struct room_members *m, struct store_tx *tx,
	struct store_place at)
{
	const struct room_member *one;

	TAILQ_FOREACH (one, &m->all, link)
		if (m->shard != NULL)
			muc_accounts_note(m->shard, tx, at, one->jid, AFF_NONE);
}

void
members_take(struct room_members *m, const struct store_entry *entry)
{
	struct arena *a = arena_new();
	const struct elem *item = stored_read(a, entry->value);
	const struct elem *reason = item != NULL ?
		elem_child(item, NS_MUC_ADMIN, "reason") :
		NULL;
	enum room_affiliation aff;

	if (item != NULL &&
		affiliation_parse(elem_attr(item, "affiliation"), &aff))
		members_set(m, jid_trusted(entry->key), aff,
			elem_attr(item, "nick"),
			reason != NULL ? elem_text(a, reason) : STR_NONE);
	arena_free(a);
}
