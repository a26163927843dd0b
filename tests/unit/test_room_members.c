/*
 * test_room_members.c - the affiliations of a room: whose they are, and what is read of
 * the store.
 */
#include "config.h"

#include "../../modules/muc/room_members.h"

#include "test.h"

static const struct hash_key hash = { 1, 2 };

static struct jid
jid_of(const char *text)
{
	return jid_trusted(str_c(text));
}

static void
set(struct room_members *m, const char *jid, enum room_affiliation aff,
	const char *nick)
{
	members_set(m, jid_of(jid), aff, str_c(nick), STR_NONE);
}

/* §9.2: his own, then that of his domain. */
TEST(an_address_is_looked_for_before_its_domain)
{
	static const struct {
		const char *jid;
		enum room_affiliation aff;
	} cases[] = {
		{ "anna@a.example", AFF_MEMBER },
		{ "anna@a.example/x", AFF_MEMBER },
		{ "bob@a.example", AFF_OUTCAST },
		{ "a.example", AFF_OUTCAST },
		{ "anna@sub.a.example", AFF_NONE },
		{ "b.example", AFF_NONE },
	};
	struct room_members m;

	members_init(&m, &hash);
	set(&m, "a.example", AFF_OUTCAST, NULL);
	set(&m, "anna@a.example", AFF_MEMBER, NULL);
	for (size_t i = 0; i < COUNT(cases); i++) {
		TEST_CASE(cases[i].jid);
		CHECK_INT(members_affiliation(&m, jid_of(cases[i].jid)),
			cases[i].aff);
	}
	members_done(&m);
}

TEST(owners_are_counted)
{
	struct room_members m;

	members_init(&m, &hash);
	set(&m, "anna@a.example", AFF_OWNER, NULL);
	set(&m, "bob@a.example", AFF_OWNER, NULL);
	set(&m, "bob@a.example", AFF_OWNER, NULL);
	CHECK_INT(m.owners, 2);
	set(&m, "bob@a.example", AFF_ADMIN, NULL);
	CHECK_INT(m.owners, 1);
	set(&m, "anna@a.example", AFF_NONE, NULL);
	CHECK_INT(m.owners, 0);
	CHECK_INT(m.n, 1);
	set(&m, "nobody@a.example", AFF_NONE, NULL);
	CHECK_INT(m.n, 1);
	members_done(&m);
}

TEST(a_nickname_is_reserved_until_it_is_given_back)
{
	struct room_members m;

	members_init(&m, &hash);
	set(&m, "anna@a.example", AFF_MEMBER, "Anna");
	CHECK(members_reserved(&m, STR("anna"), jid_of("bob@a.example")) != NULL);
	CHECK(members_reserved(&m, STR("anna"), jid_of("anna@a.example")) ==
		NULL);
	set(&m, "anna@a.example", AFF_ADMIN, NULL); /* not named: it stays */
	CHECK_CSTR(members_find(&m, jid_of("anna@a.example"))->nick, "Anna");
	set(&m, "anna@a.example", AFF_ADMIN, "");
	CHECK(members_find(&m, jid_of("anna@a.example"))->nick == NULL);
	set(&m, "anna@a.example", AFF_ADMIN, "Anna");
	set(&m, "anna@a.example", AFF_OUTCAST, "Anna"); /* §9.1 */
	CHECK(members_reserved(&m, STR("anna"), jid_of("bob@a.example")) == NULL);
	members_done(&m);
}

TEST(what_is_damaged_in_the_store_is_passed_over)
{
#define ITEM "<item xmlns='http://jabber.org/protocol/muc#admin' "
	static const struct {
		const char *value;
		enum room_affiliation aff;
	} cases[] = {
		{ ITEM "affiliation='member'/>", AFF_MEMBER },
		{ ITEM "affiliation='outcast'><reason>x</reason></item>",
			AFF_OUTCAST },
		{ ITEM "affiliation='none'/>", AFF_NONE },
		{ ITEM "affiliation='king'/>", AFF_NONE },
		{ ITEM "/>", AFF_NONE },
		{ ITEM "affiliation='member'", AFF_NONE },
		{ "", AFF_NONE },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct store_entry entry = {
			.key = STR("anna@a.example"),
			.value = str_c(cases[i].value),
		};
		struct room_members m;

		TEST_CASE(cases[i].value);
		members_init(&m, &hash);
		members_take(&m, &entry);
		CHECK_INT(members_affiliation(&m, jid_of("anna@a.example")),
			cases[i].aff);
		CHECK_INT(m.n, cases[i].aff != AFF_NONE);
		members_done(&m);
	}
}

TEST_MAIN
