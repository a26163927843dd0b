/*
 * test_room_config.c - how a room is configured: its form, what is read from one, what
 * is stored, and what others are told.
 */
#include "config.h"

#include "../../modules/muc/room_config.h"

#include "test.h"

#define VAR(name) "muc#roomconfig_" name
#define USERS 5000

static void
add(struct arena *a, struct elem *form, const char *var, const char *value)
{
	struct elem *field = elem_add(a, form, NS_FORM, "field");

	elem_set_attr(a, field, "var", str_c(var));
	if (value != NULL)
		form_add_value(a, field, str_c(value));
}

/* Reads a form of one field; of c stays what was, where it is refused. */
static bool
read_one(struct room_config *c, const char *var, const char *value)
{
	struct arena *a = arena_new();
	struct elem *form = elem_new(a, NS_FORM, "x");
	const char *why = NULL;
	struct room_config next;
	bool ok;

	add(a, form, var, value);
	room_config_copy(&next, c);
	ok = room_config_read(&next, a, form, &why);
	CHECK_INT(why != NULL, !ok);
	if (ok) {
		room_config_done(c);
		*c = next;
	} else {
		room_config_done(&next);
	}
	arena_free(a);
	return ok;
}

static const struct elem *
field_of(const struct elem *form, const char *var)
{
	elem_each_child(form, field) {
		if (str_is(elem_attr(field, "var"), var))
			return field;
	}
	return NULL;
}

static size_t
count(const struct elem *e, const char *name)
{
	size_t n = 0;

	elem_each_child(e, child)
		n += str_is(child->name, name);
	return n;
}

struct value_case {
	const char *var, *value;
	bool ok;
};

static const struct value_case values[] = {
	{ VAR("roomname"), "A Dark Cave", true },
	{ VAR("roomname"), "", true },
	{ VAR("roomname"), NULL, true },
	{ VAR("membersonly"), "1", true },
	{ VAR("membersonly"), "true", true },
	{ VAR("membersonly"), "0", true },
	{ VAR("membersonly"), "false", true },
	{ VAR("membersonly"), "yes", false },
	{ VAR("membersonly"), "", false },
	{ VAR("membersonly"), NULL, true },
	{ VAR("allowpm"), "moderators", true },
	{ VAR("allowpm"), "everybody", false },
	{ VAR("whois"), "anyone", true },
	{ VAR("whois"), "none", false },
	{ VAR("maxusers"), "10", true },
	{ VAR("maxusers"), "none", true },
	{ VAR("maxusers"), "0", false },
	{ VAR("maxusers"), "-1", false },
	{ VAR("maxusers"), "100001", false },
	{ VAR("maxusers"), "99999999999999999999", false },
	{ "muc#maxhistoryfetch", "0", true },
	{ "muc#maxhistoryfetch", "1000", true },
	{ "muc#maxhistoryfetch", "1001", false },
	{ "muc#maxhistoryfetch", "none", false },
	{ "x-muc#roomconfig_archive_days", "0", true },
	{ "x-muc#roomconfig_archive_days", "36500", true },
	{ "x-muc#roomconfig_archive_days", "36501", false },
	{ VAR("slow_mode_duration"), "0", true },
	{ VAR("slow_mode_duration"), "86400", true },
	{ VAR("slow_mode_duration"), "86401", false },
	{ VAR("slow_mode_duration"), "-1", false },
	{ VAR("contactjid"), "crone1@shakespeare.lit", true },
	{ VAR("contactjid"), "", true },
	{ VAR("contactjid"), "crone1@", false },
	{ VAR("contactjid"), "a@b\nc@d", false },
	{ VAR("presencebroadcast"), "moderator", true },
	{ VAR("presencebroadcast"), "owner", false },
	{ VAR("presencebroadcast"), "none", false },
	{ VAR("presencebroadcast"), NULL, true },
	/* §10.1.3: a password that is blank */
	{ VAR("passwordprotectedroom"), "1", false },
	/* nobody's */
	{ VAR("enablelogging"), "maybe", true },
	{ "FORM_TYPE", "http://jabber.org/protocol/muc#roomconfig", true },
};

TEST(a_value_is_read_or_refused)
{
	for (size_t i = 0; i < COUNT(values); i++) {
		struct room_config c;

		TEST_CASE(values[i].value != NULL ? values[i].value : "none");
		room_config_init(&c);
		CHECK_INT(read_one(&c, values[i].var, values[i].value),
			values[i].ok);
		room_config_done(&c);
	}
}

TEST(a_text_has_a_bound)
{
	struct room_config c;
	char text[300];

	room_config_init(&c);
	memset(text, 'x', sizeof(text));
	text[257] = '\0';
	CHECK(!read_one(&c, VAR("roomname"), text));
	text[256] = '\0';
	CHECK(read_one(&c, VAR("roomname"), text));
	room_config_done(&c);
}

TEST(what_a_form_does_not_name_stays)
{
	struct room_config c;

	room_config_init(&c);
	CHECK(read_one(&c, VAR("roomname"), "Cave"));
	CHECK(read_one(&c, VAR("moderatedroom"), "1"));
	CHECK_CSTR(c.name, "Cave");
	CHECK(c.moderated);
	CHECK(read_one(&c, VAR("roomname"), ""));
	CHECK(c.name == NULL);
	room_config_done(&c);
}

TEST(a_password_goes_when_none_is_asked_for)
{
	struct arena *a = arena_new();
	struct elem *form = elem_new(a, NS_FORM, "x");
	const char *why = NULL;
	struct room_config c;

	room_config_init(&c);
	add(a, form, VAR("passwordprotectedroom"), "1");
	add(a, form, VAR("roomsecret"), "cauldronburn");
	CHECK(room_config_read(&c, a, form, &why));
	CHECK_CSTR(c.secret, "cauldronburn");
	CHECK(!read_one(&c, VAR("roomsecret"), ""));
	CHECK(read_one(&c, VAR("passwordprotectedroom"), "0"));
	CHECK(c.secret == NULL);
	room_config_done(&c);
	arena_free(a);
}

/* Each field but the password is what nobody has by default. */
static void
fill(struct room_config *c, struct arena *a)
{
	struct elem *form = elem_new(a, NS_FORM, "x");
	const char *why = NULL;
	static const char *const fields[] = { VAR("roomname"), "A <Dark> Cave",
		VAR("roomdesc"), "The place\nfor all", VAR("lang"), "en",
		VAR("publicroom"), "0", VAR("persistentroom"), "1",
		VAR("membersonly"), "1", VAR("moderatedroom"), "1",
		VAR("passwordprotectedroom"), "1", VAR("roomsecret"), "x",
		VAR("whois"), "anyone", VAR("changesubject"), "1",
		VAR("allowinvites"), "1", VAR("allowpm"), "participants",
		VAR("presencebroadcast"), "moderator", VAR("getmemberlist"),
		"visitor", VAR("maxusers"), "77", "muc#maxhistoryfetch", "3",
		VAR("slow_mode_duration"), "7", VAR("contactjid"), "a@b.example",
		VAR("enablearchiving"), "0", "x-muc#roomconfig_archive_days", "30" };

	for (size_t i = 0; i < COUNT(fields); i += 2)
		add(a, form, fields[i], fields[i + 1]);
	CHECK(room_config_read(c, a, form, &why));
}

static bool
same(const struct room_config *a, const struct room_config *b)
{
	struct room_config_change change = room_config_compare(a, b);

	return !change.any && !change.shows_all && !change.hides;
}

TEST(what_is_stored_is_read_again)
{
	struct arena *a = arena_new();
	struct room_config c, again;
	const char *why = NULL;

	room_config_init(&c);
	fill(&c, a);
	room_config_init(&again);
	CHECK(!same(&c, &again));
	CHECK(room_config_read(&again, a, room_config_stored(&c, a), &why));
	CHECK(same(&c, &again));
	room_config_done(&again);
	/* so is a form that comes back as it was shown, as many clients do */
	room_config_init(&again);
	{
		struct elem *form = elem_new(a, NS_FORM, "x");

		room_config_form(&c, a, form, USERS);
		CHECK(room_config_read(&again, a, form, &why));
	}
	CHECK(same(&c, &again));
	room_config_done(&again);
	room_config_done(&c);
	arena_free(a);
}

TEST(a_change_says_what_it_is_to_those_who_are_there)
{
	struct room_config before, after;
	struct room_config_change change;

	room_config_init(&before);
	room_config_copy(&after, &before);
	CHECK(read_one(&after, VAR("whois"), "anyone"));
	change = room_config_compare(&before, &after);
	CHECK(change.shows_all && !change.hides && !change.any);
	change = room_config_compare(&after, &before);
	CHECK(change.hides && !change.shows_all && !change.any);
	CHECK(read_one(&after, VAR("membersonly"), "1"));
	CHECK(read_one(&after, VAR("moderatedroom"), "1"));
	change = room_config_compare(&before, &after);
	CHECK(change.closes && change.roles && change.any && !change.presence);
	change = room_config_compare(&after, &before);
	CHECK(!change.closes && change.roles && change.any);
	room_config_done(&after);
	room_config_done(&before);
}

/* What is in force is among the options, whatever it is (XEP-0004 §3.3). */
TEST(a_list_offers_what_is_in_force)
{
	static const struct {
		uint32_t now, max;
		size_t options;
	} cases[] = { { 0, 5000, 10 }, { 10, 5000, 10 }, { 77, 5000, 11 },
		{ 20000, 5000, 11 }, { 0, 60, 4 }, { 100, 60, 5 } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new();
		struct elem *form = elem_new(a, NS_FORM, "x");
		const struct elem *field;
		struct room_config c;
		size_t found = 0;

		TEST_CASE("maxusers");
		room_config_init(&c);
		c.max_users = cases[i].now;
		room_config_form(&c, a, form, cases[i].max);
		field = field_of(form, VAR("maxusers"));
		CHECK_INT(count(field, "option"), cases[i].options);
		elem_each_child(field, option) {
			if (str_is(option->name, "option") &&
				str_eq(form_value(a, option),
					form_value(a, field)))
				found++;
		}
		CHECK_INT(found, 1);
		room_config_done(&c);
		arena_free(a);
	}
}

TEST(others_are_told_no_password)
{
	struct arena *a = arena_new();
	struct elem *form = elem_new(a, NS_FORM, "x");
	struct elem *query = elem_new(a, NS_DISCO_INFO, "query");
	struct room_config c;

	room_config_init(&c);
	fill(&c, a);
	room_config_info(&c, a, form);
	room_config_features(&c, a, query);
	CHECK(field_of(form, VAR("roomsecret")) == NULL);
	CHECK(field_of(form, "muc#roominfo_description") != NULL);
	CHECK(field_of(query, "muc_passwordprotected") != NULL);
	CHECK(field_of(query, "muc_unsecured") == NULL);
	CHECK(field_of(query, "muc_nonanonymous") != NULL);
	CHECK(field_of(query, "muc_hidden") != NULL);
	room_config_done(&c);
	arena_free(a);
}

TEST(private_messages_are_for_whom_the_room_lets)
{
	static const int least[] = { [PM_ANYONE] = ROLE_VISITOR,
		[PM_PARTICIPANTS] = ROLE_PARTICIPANT,
		[PM_MODERATORS] = ROLE_MODERATOR, [PM_NONE] = ROLES };
	struct room_config c;

	room_config_init(&c);
	for (c.allow_pm = PM_ANYONE; c.allow_pm <= PM_NONE; c.allow_pm++) {
		for (int role = ROLE_VISITOR; role < ROLES; role++)
			CHECK_INT(room_config_lets_pm(&c, (enum room_role)role),
				role >= least[c.allow_pm]);
	}
	room_config_done(&c);
}

TEST_MAIN
