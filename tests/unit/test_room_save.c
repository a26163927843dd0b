/*
 * test_room_save.c - clients in a room as rows: what is read back is what was written, and
 * what is none is not taken.
 */
#include "config.h"

#include "../../modules/muc/room_save.h"

#include <stdio.h>

#include "test.h"

static const struct hash_key hash = { 1, 2 };

static struct elem *
read_text(struct arena *a, const char *text)
{
	return stored_read(a, arena_str(a, str_c(text)));
}

#define ROW(attrs, children)                                                   \
	"<client xmlns='urn:antiphon:muc' " attrs ">" children "</client>"
#define HERE "<presence xmlns='jabber:client'><show>away</show></presence>"
#define ROMEO "jid='romeo@a.example/x' nick='R' role='visitor'"

static const struct {
	const char *text;
	bool ok;
} rows[] = {
	{ ROW(ROMEO, HERE), true },
	{ ROW(ROMEO " shown='1' told='1' private='1 2 3 4294967295'", HERE),
		true },
	{ ROW(ROMEO, ""), false },
	{ ROW("jid='romeo@a.example' nick='R' role='visitor'", HERE), false },
	{ ROW("jid='a b@a.example/x' nick='R' role='visitor'", HERE), false },
	{ ROW("nick='R' role='visitor'", HERE), false },
	{ ROW("jid='romeo@a.example/x' role='visitor'", HERE), false },
	{ ROW("jid='romeo@a.example/x' nick='' role='visitor'", HERE), false },
	{ ROW("jid='romeo@a.example/x' nick='&#xA0;' role='visitor'", HERE),
		false },
	{ ROW("jid='romeo@a.example/x' nick='R'", HERE), false },
	{ ROW("jid='romeo@a.example/x' nick='R' role='none'", HERE), false },
	{ ROW("jid='romeo@a.example/x' nick='R' role='king'", HERE), false },
	{ ROW(ROMEO " private='1 2 3'", HERE), false },
	{ ROW(ROMEO " private='1 2 3 4294967296'", HERE), false },
	{ ROW(ROMEO " private='1 2 3 4 5'", HERE), false },
	{ "<client xmlns='urn:antiphon:another' " ROMEO ">" HERE "</client>",
		false },
	{ "<room xmlns='urn:antiphon:muc' " ROMEO ">" HERE "</room>", false },
};

TEST(what_is_none_is_not_taken)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *a = arena_new();
		struct room_saved saved;
		const struct elem *e = read_text(a, rows[i].text);

		if (e == NULL || room_saved_read(&saved, a, e) != rows[i].ok) {
			printf("row %zu: %s\n", i, rows[i].text);
			CHECK(false);
		}
		arena_free(a);
	}
}

static struct room_client *
enter(struct room_people *p, const char *text)
{
	struct arena *a = arena_new();
	struct room_saved saved;
	struct room_client *c;

	CHECK(room_saved_read(&saved, a, read_text(a, text)));
	c = room_saved_enter(p, &saved);
	arena_free(a);
	return c;
}

TEST(what_is_read_is_what_was_written)
{
	struct arena *a = arena_new();
	struct room_people before, after;
	struct room_saved saved;
	struct room_client *c;
	const struct elem *said;

	people_init(&before, &hash);
	people_init(&after, &hash);
	c = enter(&before, ROW(ROMEO " shown='1'", HERE));
	people_note_private(&before, c, STR("id"));
	CHECK(room_saved_read(&saved, a, room_saved_elem(a, c)));
	c = room_saved_enter(&after, &saved);
	CHECK_STR(jid_str(c->jid), "romeo@a.example/x");
	CHECK_STR(occupant_nick(c->occupant), "R");
	CHECK_INT(c->occupant->role, ROLE_VISITOR);
	CHECK(c->occupant->is_shown && !c->told);
	CHECK(people_had_private(&after, c, STR("id")));
	CHECK(!people_had_private(&after, c, STR("another")));
	said = elem_child(people_presence(c->occupant, a), NS_CLIENT, "show");
	CHECK_STR(elem_text(a, said), "away");
	people_done(&before);
	people_done(&after);
	arena_free(a);
}

/* The last of an occupant who comes in is the one that is shown. */
TEST(clients_of_one_are_one_occupant_and_names_are_one_users)
{
	struct room_people p;
	struct room_client *c;

	people_init(&p, &hash);
	CHECK(enter(&p, ROW(ROMEO, HERE)) != NULL);
	CHECK(enter(&p, ROW(ROMEO, HERE)) == NULL);
	c = enter(&p, ROW("jid='romeo@a.example/y' nick='R' role='visitor'",
			      HERE));
	CHECK(c != NULL && TAILQ_FIRST(&c->occupant->clients) == c);
	CHECK(enter(&p, ROW("jid='juliet@a.example/y' nick='R' role='visitor'",
			      HERE)) == NULL);
	CHECK(enter(&p, ROW("jid='juliet@a.example/y' nick='r' role='visitor'",
			      HERE)) == NULL);
	CHECK(enter(&p, ROW("jid='juliet@a.example/y' nick='J' role='visitor'",
			      HERE)) != NULL);
	CHECK_INT(p.n, 2);
	CHECK_INT(p.n_clients, 3);
	people_done(&p);
}

TEST_MAIN
