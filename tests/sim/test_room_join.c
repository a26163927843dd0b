/*
 * test_room_join.c - coming into a large room (modules/muc/room_join.h), whatever happens
 * meanwhile and however slowly one reads: nothing but presence comes before one's own;
 * nobody goes who was not there; each message comes once, as history or live, and in order;
 * and at the end each sees in it who is in it.
 *
 * The crowd are listeners (mod_testroom); one of them speaks at a time, all by one, so that
 * what is said has numbers.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "../../modules/muc/room.h"

#include "base/arena.h"
#include "base/mem.h"
#include "net/conn.h"
#include "peek.h"
#include "unit/test.h"
#include "world.h"

#ifndef SEEDS
#define SEEDS 12
#endif
#define STEPS 400
#define CROWD 300
#define USERS 6
#define ROOM "den@conference." WORLD_HOST
#define HISTORY 5
/* Of each of the crowd, so that all of them are more than a stream takes at once. */
#define STATUS_BYTES 500
#define TEXT_BYTES 16384
#define CONF                                                                   \
	"modules: { testroom: yes, muc: { join_rate: 0, presence_rate: 0,\n"    \
	"  nick_rate: 0, message_rate: 0 } }\n"                                \
	"limits: { stanzas_per_second: 100000, stanzas_burst: 100000,\n"        \
	"  bytes_per_second: 1GiB, bytes_burst: 1GiB }\n"

/* Whom one sees: "c17", or "c17b" if he has taken another name. */
enum seen { SEEN_NOT, SEEN_AS_A, SEEN_AS_B };

struct scene;

struct user {
	struct client c;
	struct scene *scene;
	unsigned index;
	bool stalls;
	bool in;      /* has asked to come in, and not to go */
	unsigned joins;   /* how often it has asked */
	unsigned own;     /* which of these its own presence has answered; 0: none */
	bool subject; /* has come, for that */
	int said;     /* the last that has come; -1: none */
	bool seen[CROWD][2];
	bool sees[USERS];
	unsigned shown; /* presences of others */
	bool left;    /* it was told that it is not in it any more */
	bool missed;  /* with 333 */
	unsigned notes; /* of who has become a member, or is none */
};

struct scene {
	struct world *w;
	uint64_t seed;
	struct user users[USERS];
	bool in[CROWD];
	unsigned as[CROWD]; /* 0: "c17"; 1: "c17b" */
	int said;
	unsigned n_notes; /* of who has become a member, or is none */
	size_t padding; /* of what is said */
	char *text;     /* TEXT_BYTES of it */
};

static void
user_fail(const struct user *u, const char *what, struct str who)
{
	fprintf(stderr, "seed %llu: u%u: %s: %.*s\n",
		(unsigned long long)u->scene->seed, u->index, what,
		STR_ARG(who));
	CHECK(false);
}

/* --- what comes -------------------------------------------------------------------- */

static bool
has_code(const struct elem *e, const char *code)
{
	const struct elem *x = elem_child(e, NS_MUC_USER, "x");

	if (x == NULL)
		return false;
	elem_each_child(x, s)
		if (str_is(s->name, "status") && str_is(elem_attr(s, "code"), code))
			return true;
	return false;
}

static struct str
nick_of(const struct elem *e)
{
	struct str from = elem_attr(e, "from"), room, nick;

	if (!str_cut(from, '/', &room, &nick) || !str_is(room, ROOM))
		return STR_NONE;
	return nick;
}

/* Whose nickname that is, of those whom somebody sees; NULL: the owner's. */
static bool *
seen_of(struct user *u, struct str nick)
{
	char text[16];
	unsigned n;

	snprintf(text, sizeof(text), "%.*s", STR_ARG(nick));
	if (sscanf(text, "c%u", &n) == 1)
		return &u->seen[n][text[strlen(text) - 1] == 'b'];
	if (sscanf(text, "u%u", &n) == 1)
		return &u->sees[n];
	return NULL;
}

static void
own_presence(struct user *u, const struct elem *e)
{
	struct str id = elem_attr(e, "id");
	long long n;

	if (str_is(elem_attr(e, "type"), "unavailable")) {
		u->left = true;
		u->missed = has_code(e, "333");
		u->own = 0;
		u->said = -1;
		memset(u->seen, 0, sizeof(u->seen));
		memset(u->sees, 0, sizeof(u->sees));
	} else if (str_to_int(id, 1, UINT32_MAX, &n)) {
		u->own = (unsigned)n;
		u->subject = u->left = false;
	}
}

static void
other_presence(struct user *u, const struct elem *e)
{
	bool *seen = seen_of(u, nick_of(e));

	if (seen == NULL)
		return;
	if (str_is(elem_attr(e, "type"), "unavailable")) {
		if (!*seen)
			user_fail(u, "goes, and was not there", nick_of(e));
		*seen = false;
	} else {
		*seen = true;
		u->shown++;
	}
}

static void
message(struct user *u, const struct elem *e)
{
	bool delayed = elem_child(e, NS_DELAY, "delay") != NULL;
	long long n;

	if (u->own == 0)
		user_fail(u, "said before its own presence", elem_attr(e, "id"));
	u->notes += elem_attr(e, "id").p == NULL &&
		elem_child(e, NS_MUC_USER, "x") != NULL;
	if (elem_child(e, NS_CLIENT, "subject") != NULL) {
		if (u->subject)
			user_fail(u, "a second subject", STR(""));
		u->subject = true;
		return;
	}
	if (!str_to_int(elem_attr(e, "id"), 0, INT32_MAX, &n))
		return;
	if (delayed == u->subject)
		user_fail(u, delayed ? "history behind the subject" :
				  "live before the subject",
			elem_attr(e, "id"));
	/* history may have what it was told in the time before it came again */
	if (u->said != -1 && (delayed ? n > u->said + 1 : n != u->said + 1))
		user_fail(u, "not the next one", elem_attr(e, "id"));
	u->said = MAX(u->said, (int)n);
}

static void
on_stanza(struct client *c, struct arena *a, struct elem *e)
{
	struct user *u = CONTAINER_OF(c, struct user, c);

	if (elem_is(e, NS_CLIENT, "presence") && nick_of(e).p != NULL) {
		if (str_is(elem_attr(e, "type"), "error"))
			user_fail(u, "an error", nick_of(e));
		else if (has_code(e, "110"))
			own_presence(u, e);
		else
			other_presence(u, e);
	} else if (elem_is(e, NS_CLIENT, "message") &&
		str_starts(elem_attr(e, "from"), STR(ROOM))) {
		message(u, e);
	}
	arena_free(a);
}

/* --- the crowd ------------------------------------------------------------------------ */

static struct stanza *
from_crowd(enum stanza_type type, unsigned who, const char *nick)
{
	struct arena *a = arena_new();
	struct stanza *st = stanza_new(type,
		jid_make(a, arena_printf(a, "c%u", who), STR("room." WORLD_HOST),
			STR("x")),
		jid_trusted(STR(ROOM)), STR_NONE);

	stanza_set_from(st, jid_copy(st->arena, st->from));
	if (nick != NULL)
		stanza_set_to(st, jid_make(st->arena, STR("den"),
			STR("conference." WORLD_HOST), str_c(nick)));
	arena_free(a);
	return st;
}

static void
crowd_send(struct scene *s, struct stanza *st)
{
	router_send(peek_owner(s->w->server, STR("driver@" WORLD_HOST)), st);
}

static struct str
text_of(struct scene *s, size_t n)
{
	if (s->text == NULL) {
		s->text = xmalloc(TEXT_BYTES);
		memset(s->text, 'x', TEXT_BYTES);
	}
	return (struct str){ s->text, n };
}

static void
crowd_says_it_is(struct scene *s, unsigned who, bool available)
{
	char nick[16];
	struct stanza *st;

	snprintf(nick, sizeof(nick), "c%u%s", who, s->as[who] ? "b" : "");
	st = from_crowd(available ? PRESENCE_AVAILABLE : PRESENCE_UNAVAILABLE, who,
		nick);
	if (available) {
		elem_add(st->arena, st->root, NS_MUC, "x");
		elem_add_with_text(st->arena, st->root, NS_CLIENT, "status",
			arena_str(st->arena, text_of(s, STATUS_BYTES)));
	}
	s->in[who] = available;
	crowd_send(s, st);
}

static void
crowd_speaks(struct scene *s)
{
	unsigned who = (unsigned)world_draw(s->w, CROWD);
	struct stanza *st;

	if (!s->in[who])
		return;
	st = from_crowd(MESSAGE_GROUPCHAT, who, NULL);
	stanza_set_id(st, arena_printf(st->arena, "%d", s->said++));
	elem_add_with_text(st->arena, st->root, NS_CLIENT, "body",
		arena_str(st->arena, text_of(s, s->padding + 1)));
	crowd_send(s, st);
}

/* Somebody who is not there becomes a member: all who see addresses are told. */
static void
crowd_affiliates(struct scene *s)
{
	struct stanza *st = from_crowd(IQ_SET, 0, NULL);
	struct elem *query =
		elem_add(st->arena, st->root, NS_MUC_ADMIN, "query");
	struct elem *item = elem_add(st->arena, query, NS_MUC_ADMIN, "item");

	stanza_set_id(st, STR("affiliate"));
	elem_set_attr(st->arena, item, "affiliation",
		s->n_notes++ % 2 == 0 ? STR("member") : STR("none"));
	elem_set_attr(st->arena, item, "jid", STR("absent@" WORLD_HOST));
	crowd_send(s, st);
}

static void
crowd_acts(struct scene *s)
{
	unsigned who = (unsigned)world_draw(s->w, CROWD);

	switch (world_draw(s->w, 5)) {
	case 0:
		crowd_says_it_is(s, who, !s->in[who]);
		break;
	case 1:
		if (s->in[who]) {
			s->as[who] = !s->as[who];
			crowd_says_it_is(s, who, true);
		}
		break;
	case 2:
		if (s->in[who])
			crowd_says_it_is(s, who, true);
		break;
	case 3:
		crowd_affiliates(s);
		break;
	default:
		crowd_speaks(s);
	}
}

/* --- those who come in ------------------------------------------------------------------ */

static void
user_comes(struct user *u)
{
	u->in = true;
	client_send(&u->c, "<presence to='" ROOM "/u%u' id='%u'>"
		"<x xmlns='" NS_MUC "'/></presence>", u->index, ++u->joins);
}

static void
user_goes(struct user *u)
{
	if (!u->in)
		return;
	u->in = false;
	client_send(&u->c, "<presence to='" ROOM "/u%u' type='unavailable'/>",
		u->index);
}

static void
user_stalls(struct user *u, bool stalls)
{
	u->stalls = stalls;
	conn_mem_take(u->c.conn, stalls ? world_draw(u->scene->w, 20000) : SIZE_MAX);
}

static void
user_acts(struct user *u)
{
	struct world *w = u->scene->w;

	switch (world_draw(w, 8)) {
	case 0:
	case 1:
		if (!u->in)
			user_comes(u);
		break;
	case 2:
		if (world_draw(w, 3) == 0)
			user_goes(u);
		break;
	case 3: /* again, perhaps in the middle of it */
		if (u->in)
			user_comes(u);
		break;
	case 4:
		if (u->in)
			client_send(&u->c, "<presence to='" ROOM "/u%u'>"
				"<show>away</show></presence>", u->index);
		break;
	default:
		user_stalls(u, world_draw(w, 2) == 0);
	}
}

/* --- the scene ------------------------------------------------------------------------- */

static void
settle(struct scene *s)
{
	for (int i = 0; i < 12; i++) {
		world_settle(s->w);
		for (unsigned u = 0; u < USERS; u++)
			client_read(&s->users[u].c);
	}
}

static void
make_room(struct scene *s, bool archive)
{
	struct client owner;

	world_add_account(s->w, "owner");
	client_init(&owner, s->w, "owner", "o");
	client_connect(&owner);
	for (int i = 0; i < 8; i++) {
		world_settle(s->w);
		client_read(&owner);
	}
	client_send(&owner, "<presence to='" ROOM "/owner'>"
		"<x xmlns='" NS_MUC "'/></presence>"
		"<iq to='" ROOM "' type='set' id='1'><query xmlns='" NS_MUC_OWNER
		"'><x xmlns='jabber:x:data' type='submit'>"
		"<field var='muc#roomconfig_persistentroom'><value>1</value></field>"
		"<field var='muc#roomconfig_enablearchiving'><value>%d</value></field>"
		"<field var='muc#maxhistoryfetch'><value>%d</value></field>"
		"<field var='muc#roomconfig_whois'><value>anyone</value></field>"
		"<field var='muc#roomconfig_roomadmins'>"
		"<value>c0@room." WORLD_HOST "</value></field>"
		"</x></query></iq>", archive, HISTORY);
	world_settle(s->w);
	client_send(&owner, "<presence to='" ROOM "/owner' type='unavailable'/>");
	world_settle(s->w);
	client_leave(&owner);
	world_settle(s->w);
	client_done(&owner);
}

static void
scene_begin(struct scene *s, uint64_t seed)
{
	*s = (struct scene){ .seed = seed };
	s->w = world_new(seed, 1 + seed % 3, TEST_MODULE_DIR, CONF);
	make_room(s, seed % 2 == 0);
	for (unsigned i = 0; i < USERS; i++) {
		struct user *u = &s->users[i];
		char name[8];

		snprintf(name, sizeof(name), "u%u", i);
		world_add_account(s->w, name);
		u->scene = s;
		u->index = i;
		u->said = -1;
		client_init(&u->c, s->w, name, "r");
		u->c.on_stanza = on_stanza;
		client_connect(&u->c);
	}
	settle(s);
	for (unsigned i = 0; i < CROWD; i++)
		if (world_draw(s->w, 8) != 0)
			crowd_says_it_is(s, i, true);
	settle(s);
	for (unsigned i = 0; i < USERS; i++)
		CHECK_INT(s->users[i].c.state, CLIENT_ONLINE);
}

static void
scene_end(struct scene *s)
{
	for (unsigned i = 0; i < USERS; i++) {
		client_leave(&s->users[i].c);
		settle(s);
		client_done(&s->users[i].c);
	}
	world_free(s->w);
	free(s->text);
}

/* --- the end --------------------------------------------------------------------------- */

static void
check_picture(struct user *u)
{
	const struct scene *s = u->scene;
	char nick[16];

	for (unsigned i = 0; i < CROWD; i++) {
		for (unsigned as = 0; as < 2; as++) {
			bool there = s->in[i] && s->as[i] == as;

			snprintf(nick, sizeof(nick), "c%u%s", i, as ? "b" : "");
			if (u->seen[i][as] != there)
				user_fail(u, there ? "is not seen" : "is seen",
					str_c(nick));
		}
	}
	for (unsigned i = 0; i < USERS; i++)
		if (i != u->index && u->sees[i] != s->users[i].in)
			user_fail(u, "sees another user wrongly", STR(""));
}

static void
check_all(struct scene *s)
{
	for (unsigned i = 0; i < USERS; i++)
		user_stalls(&s->users[i], false);
	settle(s);
	for (unsigned i = 0; i < USERS; i++) {
		struct user *u = &s->users[i];

		CHECK(!u->missed);
		CHECK(u->in == (u->own != 0));
		if (!u->in)
			continue;
		CHECK_INT(u->own, u->joins);
		CHECK(u->subject);
		CHECK_INT(u->said, s->said - 1);
		check_picture(u);
	}
}

/* Who is in it hears of each. */
static void
check_notes(struct scene *s)
{
	unsigned before[USERS];

	for (unsigned i = 0; i < USERS; i++)
		before[i] = s->users[i].notes;
	crowd_affiliates(s);
	settle(s);
	for (unsigned i = 0; i < USERS; i++)
		CHECK_INT(s->users[i].notes - before[i], s->users[i].in);
}

TEST(whatever_happens_meanwhile_each_ends_with_the_right_picture)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct scene s;

		scene_begin(&s, seed);
		for (int i = 0; i < 2 * HISTORY; i++)
			crowd_speaks(&s);
		for (int i = 0; i < STEPS; i++) {
			if (world_draw(s.w, 3) == 0)
				user_acts(&s.users[world_draw(s.w, USERS)]);
			else
				crowd_acts(&s);
			for (uint64_t n = world_draw(s.w, 8); n != 0; n--)
				world_turn(s.w);
		}
		crowd_speaks(&s);
		check_all(&s);
		check_notes(&s);
		scene_end(&s);
	}
}

/* Who holds up more than there is room for has missed something, comes again, and sees
 * what all do; nobody else is held up. */
TEST(who_reads_nothing_while_he_comes_in_leaves)
{
	struct scene s;
	struct user *u = &s.users[0], *other = &s.users[1];

	scene_begin(&s, 1);
	s.padding = 10000;
	user_stalls(u, true);
	user_comes(u);
	user_comes(other);
	settle(&s);
	CHECK(other->subject);
	while (s.said < 200)
		crowd_speaks(&s);
	settle(&s);
	CHECK_INT(other->said, 199);
	user_stalls(u, false);
	settle(&s);
	CHECK(u->left && u->missed);
	CHECK_INT(u->own, 0);
	CHECK(!other->sees[0]);
	user_comes(u);
	settle(&s);
	CHECK_INT(u->own, 2);
	CHECK_INT(u->said, 199);
	u->missed = false;
	check_all(&s);
	scene_end(&s);
}

/* What it was told before it has lost, perhaps. */
TEST(who_comes_again_half_way_is_told_all_of_it)
{
	struct scene s;
	struct user *u = &s.users[0];
	unsigned crowd = 0;

	scene_begin(&s, 2);
	user_stalls(u, true);
	user_comes(u);
	settle(&s);
	user_comes(u);
	settle(&s);
	CHECK_INT(u->own, 0);
	user_stalls(u, false);
	settle(&s);
	CHECK_INT(u->own, 2);
	for (unsigned i = 0; i < CROWD; i++)
		crowd += s.in[i];
	CHECK(u->shown > crowd);
	check_all(&s);
	scene_end(&s);
}

TEST_MAIN
