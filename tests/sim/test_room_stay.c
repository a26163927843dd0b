/*
 * test_room_stay.c - who is in a room (XEP-0045): he stays over a stop of the server, as the
 * rows of it say that can be read, and where he does not he is told so; and who has missed
 * something is told that, too.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "core/entity.h"
#include "core/router.h"
#include "core/server.h"
#include "core/shard.h"
#include "peek.h"
#include "store/store.h"
#include "unit/test.h"
#include "world.h"
#include "xml/elem.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"

#define SERVICE "conference." WORLD_HOST
#define COVEN "coven@" SERVICE
#define USERS 6
#define CONF                                                                   \
	"limits: { mailbox_bytes: 1MiB, write_queue_bytes: 64KiB,\n"             \
	"  write_queue_max_bytes: 128KiB, stanzas_burst: 100000,\n"             \
	"  bytes_burst: 16MiB }\n"                                             \
	"modules: { testresume: { sleep: 60s }, muc: { message_rate: 0,\n"      \
	"  join_rate: 0, presence_rate: 0 } }\n"
#define NO_ARCHIVE "muc#roomconfig_enablearchiving"

/* What somebody was told. */
struct user {
	struct client c;
	unsigned messages, last; /* of the room, numbered from 1 */
	unsigned came, went;     /* others */
	unsigned out;            /* himself */
	bool codes[400];         /* of the last of these */
	bool done;               /* an iq was answered */
};

static struct user users[USERS];

/* --- users -------------------------------------------------------------------------- */

static void
take_codes(struct user *u, const struct elem *x)
{
	long long code;

	memset(u->codes, 0, sizeof(u->codes));
	elem_each_child(x, e)
		if (str_is(e->name, "status") &&
			str_to_int(elem_attr(e, "code"), 0, 399, &code))
			u->codes[code] = true;
}

static void
take_presence(struct user *u, const struct elem *e, const struct elem *x)
{
	bool gone = str_is(elem_attr(e, "type"), "unavailable");
	bool own = false;

	elem_each_child(x, child)
		own = own || str_is(elem_attr(child, "code"), "110");
	if (own && gone) {
		u->out++;
		take_codes(u, x);
	} else if (!own) {
		u->came += !gone;
		u->went += gone;
		take_codes(u, x);
	}
}

static void
on_stanza(struct client *c, struct arena *a, struct elem *e)
{
	struct user *u = c->user;
	const struct elem *x = elem_child(e, NS_MUC_USER, "x");
	const struct elem *body = elem_child(e, NS_CLIENT, "body");
	long long n;

	if (elem_is(e, NS_CLIENT, "presence") && x != NULL)
		take_presence(u, e, x);
	else if (elem_is(e, NS_CLIENT, "iq"))
		u->done = u->done || str_is(elem_attr(e, "id"), "do");
	else if (body != NULL && str_to_int(elem_text(a, body), 1, INT32_MAX, &n)) {
		u->messages++;
		u->last = (unsigned)n;
	}
	arena_free(a);
}

static void
settle(struct world *w)
{
	for (int i = 0; i < 8; i++) {
		world_settle(w);
		for (size_t u = 0; u < USERS; u++)
			client_read(&users[u].c);
	}
}

static void
user_come(struct world *w, unsigned n, bool resumable)
{
	struct user *u = &users[n];
	char local[8];

	snprintf(local, sizeof(local), "u%u", n);
	world_add_account(w, local);
	memset(u, 0, sizeof(*u));
	client_init(&u->c, w, local, "a");
	u->c.on_stanza = on_stanza;
	u->c.user = u;
	u->c.resumable = resumable;
	client_connect(&u->c);
	settle(w);
	CHECK_INT(u->c.state, CLIENT_ONLINE);
}

static void
user_enter(struct world *w, unsigned n)
{
	client_send(&users[n].c, "<presence to='" COVEN "/n%u'><x xmlns='" NS_MUC
		"'/></presence>", n);
	settle(w);
}

static struct conn *
on_reach(struct server *srv, struct shard *sh, const char *domain)
{
	(void)srv;
	(void)sh;
	(void)domain;
	return NULL;
}

/* The first makes the room, without an archive, so that all is said at once. */
static struct world *
world_of(uint64_t seed, unsigned shards, unsigned resumable)
{
	struct world like = {
		.hosts = "  " WORLD_HOST ": { auth: { tls_required: no }, "
			 "federation: { mode: on } }\n",
		.reach = on_reach, /* nobody can be reached */
	};
	struct world *w = world_new_like(seed, shards, TEST_MODULE_DIR, CONF,
		true, &like);

	memset(users, 0, sizeof(users));
	for (unsigned i = 0; i < USERS; i++)
		user_come(w, i, i < resumable);
	user_enter(w, 0);
	client_send(&users[0].c, "<iq type='set' id='do' to='" COVEN "'><query "
		"xmlns='" NS_MUC_OWNER "'><x xmlns='jabber:x:data' type='submit'>"
		"<field var='FORM_TYPE'><value>" NS_MUC "#roomconfig</value></field>"
		"<field var='" NO_ARCHIVE "'><value>0</value></field></x></query>"
		"</iq>");
	settle(w);
	CHECK(users[0].done);
	for (unsigned i = 1; i < USERS; i++)
		user_enter(w, i);
	for (unsigned i = 0; i < USERS; i++) {
		CHECK_INT(users[i].came, USERS - 1);
		users[i].came = users[i].went = 0;
	}
	return w;
}

static void
world_end(struct world *w)
{
	for (size_t i = 0; i < USERS; i++)
		client_done(&users[i].c);
	world_free(w);
}

/* --- over a stop ---------------------------------------------------------------------- */

static void
store_now(struct world *w, struct store_tx *tx)
{
	store_commit(w->server->store, tx, NULL, NULL, NULL);
}

static struct store_place
rows(void)
{
	return (struct store_place){ STR(SERVICE), STR("coven"), STR("asleep") };
}

static void
break_all(struct world *w)
{
	for (unsigned i = 0; i < USERS; i++)
		client_break(&users[i].c);
	world_settle(w);
}

static void
resume_all(struct world *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		client_resume(&users[i].c);
	settle(w);
	for (unsigned i = 0; i < n; i++)
		CHECK_INT(users[i].c.state, CLIENT_ONLINE);
}

static void
say_as(struct world *w, unsigned who, unsigned n)
{
	client_send(&users[who].c, "<message type='groupchat' to='" COVEN "'><body>"
		"%u</body></message>", n);
	settle(w);
}

static void
say(struct world *w, unsigned n)
{
	say_as(w, 0, n);
}

/* Whoever wakes first, the room or the accounts. */
TEST(nobody_is_told_anything_and_all_hear_what_is_said_then)
{
	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct world *w = world_of(seed, 1 + seed % 3, USERS);

		say(w, 1);
		break_all(w);
		world_restart(w, 1 + (seed + 1) % 3);
		resume_all(w, USERS);
		say(w, 2);
		for (unsigned i = 0; i < USERS; i++) {
			CHECK_INT(users[i].messages, 2);
			CHECK_INT(users[i].last, 2);
			CHECK_INT(users[i].came + users[i].went + users[i].out,
				0);
		}
		world_end(w);
	}
}

/* Half of them are told 332, and the others hear of it behind the start. */
TEST(who_cannot_come_back_is_told_and_leaves)
{
	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct world *w = world_of(seed, 1 + seed % 3, USERS / 2);

		world_restart(w, 1 + (seed + 1) % 3);
		for (unsigned i = 0; i < USERS; i++)
			client_read(&users[i].c);
		for (unsigned i = 0; i < USERS; i++) {
			CHECK(users[i].c.closed);
			CHECK_INT(users[i].out, i >= USERS / 2);
			CHECK(i < USERS / 2 || users[i].codes[332]);
			CHECK_INT(users[i].came + users[i].went, 0);
		}
		resume_all(w, USERS / 2);
		say(w, 1);
		for (unsigned i = 0; i < USERS / 2; i++) {
			CHECK_INT(users[i].went, USERS - USERS / 2);
			CHECK_INT(users[i].came + users[i].out, 0);
			CHECK_INT(users[i].messages, 1);
		}
		world_end(w);
	}
}

/* What another version has written is nothing to us, and does no harm. */
TEST(who_is_not_in_his_room_any_more_is_told_so)
{
	struct world *w = world_of(3, 2, USERS);
	struct store_tx *tx = store_tx_new();

	break_all(w);
	world_restart(w, 3);
	store_tx_set(tx, rows(), STR("."),
		STR("<room xmlns='urn:antiphon:muc' version='2'/>"));
	store_now(w, tx);
	resume_all(w, USERS);
	for (unsigned i = 0; i < USERS; i++) {
		CHECK_INT(users[i].out, 1);
		CHECK(users[i].codes[333] && !users[i].codes[307]);
		CHECK_INT(users[i].came + users[i].went, 0);
	}
	user_enter(w, 0);
	CHECK_INT(users[0].came, 0);
	world_end(w);
}

/* One row is damaged: that one leaves, and the others hear of it. */
TEST(a_row_that_is_damaged_is_one_client)
{
	struct world *w = world_of(4, 2, USERS);
	struct store_tx *tx = store_tx_new();

	break_all(w);
	world_restart(w, 3);
	store_tx_set(tx, rows(), STR("c00000002"), STR("<client"));
	store_tx_set(tx, rows(), STR("x"), STR("what is this"));
	store_now(w, tx);
	resume_all(w, USERS);
	say(w, 1);
	for (unsigned i = 0; i < USERS; i++) {
		CHECK_INT(users[i].out, i == 2);
		CHECK_INT(users[i].went, i != 2);
		CHECK(users[i].codes[333]);
		CHECK_INT(users[i].messages, i != 2);
	}
	world_end(w);
}

/* His session is not there: the room finds that out by itself. */
TEST(whose_session_was_lost_leaves)
{
	struct world *w = world_of(5, 2, USERS);
	struct store_tx *tx = store_tx_new();

	break_all(w);
	world_restart(w, 3);
	store_tx_clear(tx, (struct store_place){ STR(WORLD_HOST), STR("u2"),
		STR("sessions") });
	store_now(w, tx);
	settle(w);
	for (unsigned i = 0; i < USERS; i++) {
		if (i != 2)
			client_resume(&users[i].c);
	}
	settle(w);
	for (unsigned i = 0; i < USERS; i++)
		CHECK_INT(users[i].went, i != 2);
	world_end(w);
}

static bool comes_back; /* has yet to */

/* When the room has been written, what was not acknowledged by another server comes
 * back to it. */
static void
on_settle(struct world *w)
{
	struct shard *sh = peek_owner(w->server, STR(COVEN));
	const struct entity *e;

	for (unsigned i = 0; i < 500; i++) {
		world_turn(w);
		e = entity_find(sh, STR(COVEN));
		if (!comes_back || e == NULL || !e->saved)
			continue;
		comes_back = false;
		router_send(sh, stanza_new(PRESENCE_ERROR,
					jid_trusted(STR("far@elsewhere.example/x")),
					jid_trusted(STR(COVEN "/n1")), STR_NONE));
	}
	world_settle(w);
}

/* Nobody is in it then, and it lasts no longer than somebody is; but it is not gone. */
TEST(a_temporary_room_that_is_written_is_not_left_over)
{
	struct world *w = world_of(8, 2, USERS);

	comes_back = true;
	break_all(w);
	w->settle = on_settle;
	world_restart(w, 2);
	w->settle = NULL;
	CHECK(!comes_back);
	resume_all(w, USERS);
	say(w, 1);
	for (unsigned i = 0; i < USERS; i++) {
		CHECK_INT(users[i].messages, 1);
		CHECK_INT(users[i].out + users[i].went, 0);
	}
	world_end(w);
}

/* --- who has missed something ------------------------------------------------------------ */

static void
say_at_once(struct shard *sh, unsigned n)
{
	struct stanza *st = stanza_new(MESSAGE_GROUPCHAT,
		jid_trusted(STR("u0@" WORLD_HOST "/a")), jid_trusted(STR(COVEN)),
		STR_NONE);

	elem_add_with_text(st->arena, st->root, NS_CLIENT, "body",
		arena_printf(st->arena, "%u", n));
	router_send(sh, st);
}

/* The shard of the room alone has turns: the others do not take all. */
TEST(who_has_not_got_all_that_was_said_is_told_so)
{
	enum { WORDS = 6000 };
	struct world *w = world_of(6, 3, 0);
	struct shard *sh = peek_owner(w->server, STR(COVEN));
	unsigned out = 0;

	for (unsigned n = 1; n <= WORDS; n++) {
		say_at_once(sh, n);
		shard_turn(sh);
	}
	settle(w);
	world_sleep(w, 2 * US_PER_S);
	settle(w);
	for (unsigned i = 0; i < USERS; i++) {
		struct user *u = &users[i];

		/* in order, without a gap, up to where he is told of one */
		CHECK_INT(u->messages, u->last);
		CHECK_INT(u->out, u->last != WORDS);
		CHECK(u->out == 0 || (u->codes[333] && !u->codes[307]));
		out += u->out;
	}
	CHECK(out > 0);
	for (unsigned i = 0; i < USERS; i++)
		CHECK(users[i].out != 0 || users[i].went == out);
	world_end(w);
}

/* Nobody comes back for him, and more is said than is kept. */
TEST(whose_session_is_full_leaves_and_nobody_else)
{
	struct world *w = world_of(7, 3, 1);

	client_break(&users[0].c);
	settle(w);
	for (unsigned n = 1; n < 10000 && users[1].went == 0; n++) {
		CHECK_INT(users[1].messages, n - 1);
		say_as(w, 1, n);
	}
	for (unsigned i = 0; i < USERS; i++) {
		CHECK_INT(users[i].went, i != 0);
		CHECK(i == 0 || users[i].codes[333]);
		CHECK_INT(users[i].out, 0);
	}
	world_end(w);
}

/* --- another server that goes away ----------------------------------------------------- */

static void
come_from_elsewhere(struct world *w, unsigned n)
{
	struct stanza *st = stanza_new(PRESENCE_AVAILABLE,
		(struct jid){ .text = NULL }, (struct jid){ .text = NULL },
		STR_NONE);
	struct arena *a = st->arena;

	stanza_set_from(st, jid_make(a, arena_printf(a, "far%u", n),
				    STR("elsewhere.example"), STR("x")));
	stanza_set_to(st, jid_make(a, STR("coven"), STR(SERVICE),
				  arena_printf(a, "far%u", n)));
	(void)elem_add(a, st->root, NS_MUC, "x");
	router_send(peek_owner(w->server, STR(COVEN)), st);
}

/* What waited for them comes back, and each leaves. */
TEST(those_of_a_server_that_is_away_leave)
{
	enum { MANY = 100 };
	struct world *w = world_of(8, 3, 0);

	for (unsigned n = 0; n < MANY; n++)
		come_from_elsewhere(w, n);
	settle(w);
	world_sleep(w, 120 * US_PER_S);
	settle(w);
	for (unsigned i = 0; i < USERS; i++) {
		CHECK_INT(users[i].came, MANY);
		CHECK_INT(users[i].went, MANY);
		CHECK(users[i].codes[333]);
		CHECK_INT(users[i].out, 0);
	}
	world_end(w);
}

TEST_MAIN
