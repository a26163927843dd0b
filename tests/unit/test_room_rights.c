/*
 * test_room_rights.c - roles, affiliations, and the tables of XEP-0045 that say who may
 * do what to whom.
 */
#include "config.h"

#include "../../modules/muc/room_rights.h"

#include "test.h"

TEST(names_are_those_of_the_schema)
{
	enum room_role role = ROLE_NONE;
	enum room_affiliation aff = AFF_NONE;

	for (int i = ROLE_NONE; i <= ROLE_MODERATOR; i++) {
		CHECK(role_parse(str_c(role_name((enum room_role)i)), &role));
		CHECK_INT(role, i);
	}
	for (int i = AFF_OUTCAST; i <= AFF_OWNER; i++) {
		CHECK(affiliation_parse(
			str_c(affiliation_name((enum room_affiliation)i)),
			&aff));
		CHECK_INT(aff, i);
	}
	CHECK(!role_parse(STR("owner"), &role));
	CHECK(!role_parse(STR(""), &role));
	CHECK(!role_parse(STR_NONE, &role));
	CHECK(!affiliation_parse(STR("moderator"), &aff));
}

/* Table 4. */
TEST(an_affiliation_brings_a_role)
{
	CHECK_INT(role_initial(AFF_NONE, true), ROLE_VISITOR);
	CHECK_INT(role_initial(AFF_NONE, false), ROLE_PARTICIPANT);
	for (int moderated = 0; moderated <= 1; moderated++) {
		CHECK_INT(role_initial(AFF_MEMBER, moderated), ROLE_PARTICIPANT);
		CHECK_INT(role_initial(AFF_ADMIN, moderated), ROLE_MODERATOR);
		CHECK_INT(role_initial(AFF_OWNER, moderated), ROLE_MODERATOR);
	}
}

/* --- roles -------------------------------------------------------------------------- */

struct role_case {
	const char *what;
	struct room_standing by, whom;
	enum room_role role;
	enum stanza_cond cond;
};

#define VISITOR { ROLE_VISITOR, AFF_NONE }
#define PARTICIPANT { ROLE_PARTICIPANT, AFF_NONE }
#define MODERATOR { ROLE_MODERATOR, AFF_NONE }
#define MEMBER { ROLE_PARTICIPANT, AFF_MEMBER }
#define MEMBER_MODERATOR { ROLE_MODERATOR, AFF_MEMBER }
#define ADMIN { ROLE_MODERATOR, AFF_ADMIN }
#define OWNER { ROLE_MODERATOR, AFF_OWNER }
#define ADMIN_AWAY { ROLE_NONE, AFF_ADMIN }

static const struct role_case role_cases[] = {
	/* §8.2 */
	{ "a visitor kicks", VISITOR, VISITOR, ROLE_NONE, COND_FORBIDDEN },
	{ "a participant kicks", PARTICIPANT, VISITOR, ROLE_NONE,
		COND_FORBIDDEN },
	{ "a member kicks an owner", MEMBER, OWNER, ROLE_NONE, COND_FORBIDDEN },
	{ "a moderator kicks", MODERATOR, PARTICIPANT, ROLE_NONE, COND_NONE },
	{ "a moderator kicks a member", MODERATOR, MEMBER, ROLE_NONE,
		COND_NOT_ALLOWED },
	{ "a member kicks a member", MEMBER_MODERATOR, MEMBER, ROLE_NONE,
		COND_NONE },
	{ "a moderator kicks a moderator", MODERATOR, MODERATOR, ROLE_NONE,
		COND_FORBIDDEN },
	{ "a member kicks an admin", MEMBER_MODERATOR, ADMIN, ROLE_NONE,
		COND_NOT_ALLOWED },
	{ "an admin kicks an owner", ADMIN, OWNER, ROLE_NONE, COND_NOT_ALLOWED },
	{ "an admin kicks an admin", ADMIN, ADMIN, ROLE_NONE, COND_NONE },
	{ "an admin kicks a moderator", ADMIN, MODERATOR, ROLE_NONE, COND_NONE },
	{ "an admin who is away kicks", ADMIN_AWAY, MEMBER, ROLE_NONE,
		COND_NONE },
	{ "an owner kicks an owner", OWNER, OWNER, ROLE_NONE, COND_NONE },
	/* §8.3 */
	{ "a participant gives voice", PARTICIPANT, VISITOR, ROLE_PARTICIPANT,
		COND_FORBIDDEN },
	{ "a moderator gives voice", MODERATOR, VISITOR, ROLE_PARTICIPANT,
		COND_NONE },
	/* §8.4 */
	{ "a moderator takes voice", MODERATOR, PARTICIPANT, ROLE_VISITOR,
		COND_NONE },
	{ "a moderator takes it of a member", MODERATOR, MEMBER, ROLE_VISITOR,
		COND_NOT_ALLOWED },
	{ "an admin takes it of a member", ADMIN, MEMBER, ROLE_VISITOR,
		COND_NONE },
	{ "an admin takes it of an admin", ADMIN, ADMIN, ROLE_VISITOR,
		COND_NOT_ALLOWED },
	{ "an owner takes it of an admin", OWNER, ADMIN, ROLE_VISITOR,
		COND_NOT_ALLOWED },
	{ "an owner takes it of an owner", OWNER, OWNER, ROLE_VISITOR,
		COND_NOT_ALLOWED },
	/* §9.6 */
	{ "a moderator makes a moderator", MODERATOR, PARTICIPANT,
		ROLE_MODERATOR, COND_FORBIDDEN },
	{ "an admin makes a moderator", ADMIN, VISITOR, ROLE_MODERATOR,
		COND_NONE },
	/* §9.7 */
	{ "a moderator unmakes one", MODERATOR, MODERATOR, ROLE_PARTICIPANT,
		COND_FORBIDDEN },
	{ "an admin unmakes one", ADMIN, MEMBER_MODERATOR, ROLE_PARTICIPANT,
		COND_NONE },
	{ "an admin unmakes an admin", ADMIN, ADMIN, ROLE_PARTICIPANT,
		COND_NOT_ALLOWED },
	{ "an owner unmakes an admin", OWNER, ADMIN, ROLE_PARTICIPANT,
		COND_NOT_ALLOWED },
	{ "an admin unmakes an owner", ADMIN, OWNER, ROLE_PARTICIPANT,
		COND_NOT_ALLOWED },
	/* nothing changes */
	{ "an admin keeps an admin", ADMIN, ADMIN, ROLE_MODERATOR, COND_NONE },
};

TEST(roles_are_changed_by_who_may)
{
	for (size_t i = 0; i < COUNT(role_cases); i++) {
		const struct role_case *c = &role_cases[i];

		TEST_CASE(c->what);
		CHECK_INT(rights_set_role(c->by, c->whom, c->role), c->cond);
	}
}

/* --- affiliations ----------------------------------------------------------------- */

/* Table 7: who it takes to change the row into the column. */
#define A AFF_ADMIN
#define O AFF_OWNER

static const enum room_affiliation needed[5][5] = {
	/* outcast none member admin owner */
	{ A, A, A, O, O }, /* outcast */
	{ A, A, A, O, O }, /* none */
	{ A, A, A, O, O }, /* member */
	{ O, O, O, O, O }, /* admin */
	{ O, O, O, O, O }, /* owner */
};

TEST(affiliations_are_changed_by_who_may)
{
	for (int by = AFF_OUTCAST; by <= AFF_OWNER; by++) {
		for (int at = 0; at < 25; at++) {
			struct room_affiliating a = {
				.by = (enum room_affiliation)by,
				.from = (enum room_affiliation)(at / 5 - 1),
				.to = (enum room_affiliation)(at % 5 - 1),
			};
			bool enough = a.by >= needed[at / 5][at % 5];
			char label[60];

			snprintf(label, sizeof(label), "%s: %s to %s",
				affiliation_name(a.by), affiliation_name(a.from),
				affiliation_name(a.to));
			TEST_CASE(label);
			CHECK_INT(rights_set_affiliation(&a),
				enough				 ? COND_NONE :
					a.by == AFF_ADMIN &&
						a.from == AFF_OWNER ?
								   COND_NOT_ALLOWED :
								   COND_FORBIDDEN);
		}
	}
}

TEST(nobody_bans_himself)
{
	struct room_affiliating a = { .himself = true, .to = AFF_OUTCAST };

	for (a.by = AFF_ADMIN; a.by <= AFF_OWNER; a.by++) {
		a.from = a.by;
		CHECK_INT(rights_set_affiliation(&a), COND_CONFLICT);
	}
	a.by = a.from = AFF_MEMBER;
	CHECK_INT(rights_set_affiliation(&a), COND_FORBIDDEN);
}

TEST(the_last_owner_stays_one)
{
	struct room_affiliating a = { .by = AFF_OWNER, .from = AFF_OWNER,
		.himself = true, .last_owner = true };

	for (int to = AFF_OUTCAST; to <= AFF_OWNER; to++) {
		a.to = (enum room_affiliation)to;
		CHECK_INT(rights_set_affiliation(&a),
			to == AFF_OWNER ? COND_NONE : COND_CONFLICT);
	}
	a.last_owner = false;
	a.to = AFF_NONE;
	CHECK_INT(rights_set_affiliation(&a), COND_NONE);
}

/* --- lists -------------------------------------------------------------------------- */

TEST(lists_of_roles_are_for_moderators_and_admins)
{
	static const struct role_case cases[] = {
		{ "voice, a participant", PARTICIPANT, PARTICIPANT,
			ROLE_PARTICIPANT, COND_FORBIDDEN },
		{ "voice, a moderator", MODERATOR, PARTICIPANT,
			ROLE_PARTICIPANT, COND_NONE },
		{ "visitors, a moderator", MODERATOR, PARTICIPANT, ROLE_VISITOR,
			COND_NONE },
		{ "voice, an admin who is away", ADMIN_AWAY, PARTICIPANT,
			ROLE_PARTICIPANT, COND_NONE },
		{ "moderators, a moderator", MODERATOR, PARTICIPANT,
			ROLE_MODERATOR, COND_FORBIDDEN },
		{ "moderators, an admin", ADMIN, PARTICIPANT, ROLE_MODERATOR,
			COND_NONE },
		{ "nobody", OWNER, PARTICIPANT, ROLE_NONE, COND_BAD_REQUEST },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		TEST_CASE(cases[i].what);
		CHECK_INT(rights_list_role(cases[i].by, cases[i].role),
			cases[i].cond);
	}
}

struct list_case {
	const char *what;
	struct room_standing by;
	enum room_affiliation aff;
	bool anonymous;
	unsigned readers;
	enum stanza_cond cond;
};

#define VOICED (ROLE_BIT(ROLE_PARTICIPANT) | ROLE_BIT(ROLE_MODERATOR))

static const struct list_case list_cases[] = {
	/* §9.2 */
	{ "bans, an admin", ADMIN, AFF_OUTCAST, true, 0, COND_NONE },
	{ "bans, a moderator", MODERATOR, AFF_OUTCAST, false, VOICED,
		COND_FORBIDDEN },
	/* §9.5 */
	{ "members, an admin", ADMIN_AWAY, AFF_MEMBER, true, 0, COND_NONE },
	{ "members, a member, anonymous", MEMBER, AFF_MEMBER, true, VOICED,
		COND_FORBIDDEN },
	{ "members, a member", MEMBER, AFF_MEMBER, false, VOICED, COND_NONE },
	{ "members, a member who is away", { ROLE_NONE, AFF_MEMBER },
		AFF_MEMBER, false, VOICED, COND_NONE },
	{ "members, a stranger", { ROLE_NONE, AFF_NONE }, AFF_MEMBER, false,
		VOICED, COND_FORBIDDEN },
	{ "members, an outcast", { ROLE_NONE, AFF_OUTCAST }, AFF_MEMBER, false,
		VOICED, COND_FORBIDDEN },
	{ "members, a visitor", VISITOR, AFF_MEMBER, false, VOICED,
		COND_FORBIDDEN },
	{ "members, a visitor who may", VISITOR, AFF_MEMBER, false,
		VOICED | ROLE_BIT(ROLE_VISITOR), COND_NONE },
	/* §10.5, §10.8 */
	{ "owners, an owner", OWNER, AFF_OWNER, true, 0, COND_NONE },
	{ "owners, an admin, anonymous", ADMIN, AFF_OWNER, true, VOICED,
		COND_FORBIDDEN },
	{ "admins, an admin, anonymous", ADMIN, AFF_ADMIN, true, VOICED,
		COND_FORBIDDEN },
	{ "owners, a member", MEMBER, AFF_OWNER, false, VOICED, COND_NONE },
	{ "nobody's", OWNER, AFF_NONE, false, VOICED, COND_BAD_REQUEST },
};

TEST(lists_of_affiliations_are_for_admins_and_whom_the_room_lets)
{
	for (size_t i = 0; i < COUNT(list_cases); i++) {
		const struct list_case *c = &list_cases[i];

		TEST_CASE(c->what);
		CHECK_INT(rights_list_affiliation(c->by, c->aff, c->anonymous,
				c->readers), c->cond);
	}
}

TEST_MAIN
