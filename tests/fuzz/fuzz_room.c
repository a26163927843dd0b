/*
 * fuzz_room.c - any bytes as what a room reads: a configuration, of its owner or of the
 * store; an affiliation; a nickname; who was in it at a stop of the server; a vCard;
 * an entry of its archive.  The first byte says which.  What is taken is stored, and read again as the same.
 */
#include "config.h"

#include "fuzz.h"

#include "../../modules/muc/muc_row.h"
#include "../../modules/muc/room_archive.h"
#include "../../modules/muc/room_config.h"
#include "../../modules/muc/room_log.h"
#include "../../modules/muc/room_members.h"
#include "../../modules/muc/room_people.h"
#include "../../modules/muc/room_photo.h"
#include "../../modules/muc/room_save.h"
#include "xml/parser.h"

static const struct hash_key hash = { 1, 2 };

static struct elem *
read_again(struct arena *a, const struct elem *e)
{
	struct buf out = BUF_INIT;
	struct elem *again;

	stored_write(&out, e);
	again = stored_read(a, buf_str(&out));
	buf_done(&out);
	FUZZ_CHECK(again != NULL);
	return again;
}

static void
check_config(struct arena *a, const struct room_config *c)
{
	struct elem *form = elem_new(a, NS_FORM, "x");
	struct room_config again;
	struct room_config_change change;
	const char *why;

	FUZZ_CHECK(!c->has_password || c->secret != NULL);
	room_config_init(&again);
	FUZZ_CHECK(room_config_read(&again, a,
		read_again(a, room_config_stored(c, a)), &why));
	change = room_config_compare(c, &again);
	FUZZ_CHECK(!change.any && !change.shows_all && !change.hides);
	room_config_form(&again, a, form, 5000);
	room_config_info(&again, a, form);
	room_config_done(&again);
}

/* As it stands in the list of rooms, it is found by all of its words. */
static void
as_row(struct arena *a, struct str value)
{
	struct store_entry entry = { .key = STR("room"), .value = value };
	struct muc_row row;

	if (!muc_row_read(&row, a, STR("b.example"), &entry))
		return;
	FUZZ_CHECK(row.name.n != 0);
	FUZZ_CHECK(row.words.p == NULL ||
		muc_row_has_words(row.words, row.words));
}

static void
check_row(struct arena *a, const struct room_config *c)
{
	struct buf value = BUF_INIT;
	struct store_entry entry = { .key = STR("room") };
	struct muc_row row;

	muc_row_write(&value, entry.key, c);
	entry.value = buf_str(&value);
	FUZZ_CHECK(muc_row_read(&row, a, STR("b.example"), &entry));
	FUZZ_CHECK(c->name == NULL || c->name[0] == '\0' ||
		str_is(row.name, c->name));
	buf_done(&value);
}

static void
as_config(struct arena *a, struct str value)
{
	const struct elem *form = stored_read(a, value);
	struct room_config c;
	const char *why;

	if (form == NULL)
		return;
	room_config_init(&c);
	if (room_config_read(&c, a, form, &why)) {
		check_config(a, &c);
		check_row(a, &c);
	}
	room_config_done(&c);
}

static void
as_affiliation(struct str value)
{
	struct jid jid = jid_trusted(STR("a@b.example"));
	struct store_entry entry = { .key = jid_str(jid), .value = value };
	struct room_members m;
	const struct room_member *one;

	members_init(&m, &hash);
	members_take(&m, &entry);
	one = members_find(&m, jid);
	FUZZ_CHECK(m.n == (one != NULL));
	FUZZ_CHECK(one == NULL || one->aff != AFF_NONE);
	FUZZ_CHECK(one == NULL || (one->nick != NULL) == (one->key != NULL));
	members_set(&m, jid, AFF_OUTCAST, STR_NONE, STR_NONE);
	FUZZ_CHECK(members_find(&m, jid)->nick == NULL);
	members_done(&m);
}

/* Who has it stands in the way of whoever wants one that reads the same. */
static void
as_nickname(struct arena *a, struct str value)
{
	struct jid other = jid_trusted(STR("c@b.example"));
	struct room_people p;
	struct str nick, key, again;

	if (!jid_prep_resource(&nick, a, value, NULL) ||
		!people_key(&key, a, nick))
		return;
	FUZZ_CHECK(people_key(&again, a, key) && str_eq(again, key));
	people_init(&p, &hash);
	people_enter(&p, jid_trusted(STR("a@b.example/x")), nick, key);
	FUZZ_CHECK(people_by_nick(&p, nick) != NULL);
	FUZZ_CHECK(people_in_the_way(&p, key, other) != NULL);
	people_done(&p);
}

/* Who comes back is what was written, and is that when it is written again. */
static void
as_client(struct arena *a, struct str value)
{
	const struct elem *e = stored_read(a, value);
	struct room_saved saved, again;
	struct room_client *c;
	struct room_people p;

	if (e == NULL || !room_saved_read(&saved, a, e))
		return;
	people_init(&p, &hash);
	c = room_saved_enter(&p, &saved);
	FUZZ_CHECK(c != NULL && room_saved_enter(&p, &saved) == NULL);
	FUZZ_CHECK(room_saved_read(&again, a,
		read_again(a, room_saved_elem(a, c))));
	FUZZ_CHECK(jid_eq(saved.jid, again.jid) &&
		str_eq(saved.nick, again.nick) && saved.role == again.role &&
		saved.shown == again.shown && saved.told == again.told &&
		memcmp(saved.private_ids, again.private_ids,
			sizeof(saved.private_ids)) == 0 &&
		elem_count(saved.presence) == elem_count(again.presence));
	people_done(&p);
}

static void
as_vcard(struct arena *a, struct str value)
{
	const struct elem *card = stored_read(a, value);
	struct buf hashes = BUF_INIT;
	const char *why;

	if (card != NULL && photo_hashes(&hashes, a, card, &why))
		FUZZ_CHECK(hashes.n <= PHOTOS_MAX * 41 &&
			(hashes.n == 0 || hashes.n % 41 == 40));
	buf_done(&hashes);
}

/* Nothing is added to an archive here. */
void
room_archive_added(struct room *r, struct store_tx *tx, const struct stanza *st,
	struct str id, size_t bytes)
{
	(void)r;
	(void)tx;
	(void)st;
	(void)id;
	(void)bytes;
}

/* What is shown of an entry to those who do not see real addresses can be read, and has no
 * author at its end. */
static void
as_entry(struct arena *a, struct str value)
{
	struct xml_pool *pool = xml_pool_new();
	struct buf buf = BUF_INIT, unused = BUF_INIT;
	struct str shown = room_log_value(pool, value, false, &buf);

	if (shown.p != NULL) {
		FUZZ_CHECK(room_log_value(pool, value, true, &unused).p != NULL);
		FUZZ_CHECK(stored_read(a, shown) != NULL);
		FUZZ_CHECK(stored_text(pool, shown).p != NULL);
	}
	buf_done(&buf);
	xml_pool_free(pool);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str value = { (const char *)data + 1, n - 1 };
	struct arena *a;

	if (n == 0)
		return 0;
	a = arena_new();
	if (data[0] == 'c')
		as_config(a, value);
	else if (data[0] == 'l')
		as_row(a, value);
	else if (data[0] == 'a')
		as_affiliation(value);
	else if (data[0] == 's')
		as_client(a, value);
	else if (data[0] == 'e')
		as_entry(a, value);
	else if (data[0] == 'v')
		as_vcard(a, value);
	else
		as_nickname(a, value);
	arena_free(a);
	return 0;
}
