/*
 * sim.c - random users log in, subscribe, talk, drop and return, on a server of
 * several shards in one thread.
 *
 *   sim [--seeds N] [--first SEED] [--steps N] [--module-dir DIR] [--verbose]
 *
 * What must hold for every seed: no message between two users is lost, doubled
 * or reordered, but for what goes to a connection that has broken (sim_lost.c);
 * every subscription is legal and the same on both sides; everyone sees of everyone
 * else what the subscription says; what is in memory is what is on disk.  A seed
 * that fails is printed, and replays exactly.
 *
 * In every third seed the disk refuses commits at random until the end, and in
 * every fourth it is full for stretches.  Then the two sides of a subscription may
 * differ, messages may be refused, which the sender is told, and may come again
 * when they could not be deleted; but no session ends because of it.
 *
 * In every fifth seed the store is too busy at random: that shows nowhere.
 *
 * In every seventh seed the database is gone for stretches, so long that some of
 * what waits for it fails; and in every other seventh always for one try, at any
 * moment, also when a commit is done and nobody hears of it: that shows nowhere.
 * In half of the seeds the store hands over each batch as a whole.
 *
 * In every second seed each account has a log of what it gets (mod_testarchive).
 * In eight of eleven it has the server's own archive, good disk or bad: what was
 * sent, and not refused, is in those of both sides, once and in order; and in that
 * alone where there was no room elsewhere.  Users say whose messages they want there, take
 * some back, have some deleted, and ask for pages (sim_owner.c).  In the end each user
 * asks his for this and that, page by page, while more is said (sim_query.c), and a device
 * of one goes and comes again (sim_late.c).
 *
 * In some of these archives hold a few messages, and two users soon stay away: then
 * what waits for them is all there, whatever has gone.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xmpp/jid.h"
#include "xmpp/ns.h"
#include "xmpp/subscription.h"
#include "store/store.h"
#include "core/entity.h"
#include "core/server.h"
#include "core/shard.h"
#include "account/account.h"
#include "../peek.h"
#include "seeds.h"
#include "sim.h"
#include "sim_model.h"
#include "world.h"

#define CROWD 400 /* contacts that are no users */
/* Of those whose archives are small: how long a message is, who stays away, and
 * from which step on. */
#define LONG 6000
#define AWAY 2
#define AWAY_STEP 60
#define SIM_VISIBLE "visible"

void
sim_fail(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	s->failed = true;
	va_start(ap, fmt);
	seeds_fail(s->seed, fmt, ap);
	va_end(ap);
}

void
sim_acked(struct sim *s, unsigned user, const struct said *m)
{
	s->pairs[user][m->to].acked[m->serial] = true;
}

/* --- what arrives -------------------------------------------------------------------- */

/* What was taken back before it came (XEP-0424 §4), whose id is "TO-SERIAL". */
static bool
sim_tombstone(struct sim *s, const struct sim_client *to, struct arena *a,
	const struct elem *e, unsigned *user_out, unsigned *serial_out)
{
	unsigned index, user;

	if (elem_child(e, NS_RETRACT, "retracted") == NULL ||
		!user_parse(elem_attr(e, "from"), user_out, &index) ||
		sscanf(arena_str(a, elem_attr(e, "id")).p, "%u-%u", &user,
			serial_out) != 2 || *serial_out >= MESSAGES_MAX)
		return false;
	if (s->pairs[*user_out][to->user].retracted[*serial_out] == 0)
		sim_fail(s, "u%u gets a message as taken back that is not",
			to->user);
	return true;
}

/* The body is "USER INDEX NUMBER SERIAL": number counts what this client sent to
 * this user, serial what the whole user sent to it. */
static void
sim_message(struct sim *s, struct sim_client *to, struct arena *a,
	const struct elem *e)
{
	const struct elem *body = elem_child(e, NULL, "body");
	unsigned user, index, number, serial;

	if (str_eq(elem_attr(e, "type"), STR("error"))) {
		if (!s->bad_disk || sscanf(arena_str(a, elem_attr(e, "id")).p,
					    "%u-%u", &user, &serial) != 2)
			sim_fail(s, "%s got an error", to->c.local);
		else
			s->pairs[to->user][user].told[serial] = true;
		return;
	}
	if (body == NULL) {
		if (!sim_tombstone(s, to, a, e, &user, &serial))
			return;
		index = s->pairs[user][to->user].by[serial];
		number = s->pairs[user][to->user].number[serial];
	} else if (sscanf(arena_str(a, elem_text(a, body)).p, "%u %u %u %u",
			   &user, &index, &number, &serial) != 4) {
		sim_fail(s, "a body of another form");
		return;
	}
	seeds_say("  u%u/r%u gets %u/%u #%u (%u)", to->user, to->index, user,
		index, number, serial);
	if (s->bad_disk && s->pairs[user][to->user].arrived[serial])
		return;
	if ((int)number <= to->last[user][index])
		sim_fail(s, "u%u/r%u: message %u of u%u/r%u came after %d",
			to->user, to->index, number, user, index,
			to->last[user][index]);
	to->last[user][index] = (int)number;
	*vec_push(&to->arrivals) = (struct arrival){ user, serial };
	s->pairs[user][to->user].arrived[serial] = true;
}

static void
sim_presence(struct sim_client *at, const struct elem *e)
{
	struct str type = elem_attr(e, "type");
	unsigned user, index;

	if (type.p == NULL || str_is(type, "unavailable")) {
		/* of the account as a whole: a probe's answer */
		if (user_parse(elem_attr(e, "from"), &user, &index) &&
			index != CLIENTS)
			at->sees[user][index] = type.p == NULL;
		return;
	}
	if (str_is(type, "subscribe"))
		user_send(at, "<presence type='%s' to='%.*s'/>",
			world_draw(at->c.world, 4) != 0 ? "subscribed" :
							  "unsubscribed",
			STR_ARG(elem_attr(e, "from")));
}

static void
on_stanza(struct client *c, struct arena *a, struct elem *e)
{
	struct sim_client *sc = CONTAINER_OF(c, struct sim_client, c);
	bool taken = sim_query_takes(sc, a, e) || sim_owner_takes(sc, e);

	if (!taken && str_is(e->name, "message"))
		sim_message(sc->sim, sc, a, e);
	else if (!taken && str_is(e->name, "presence"))
		sim_presence(sc, e);
	else if (!taken && str_is(e->name, "counted"))
		user_counted(sc, e);
	else if (!taken && str_is(elem_attr(e, "id"), SIM_VISIBLE))
		/* whom it saw it is shown anew, by its initial presence */
		memset(sc->sees, 0, sizeof(sc->sees));
	else if (!taken && str_eq(elem_attr(e, "type"), STR("set")))
		user_send(sc, "<iq type='result' id='%.*s'/>",
			STR_ARG(elem_attr(e, "id")));
	arena_free(a);
}

/* --- turning --------------------------------------------------------------------------- */

/* True: something had come. */
static bool
sim_read(struct sim *s, struct sim_client *sc)
{
	bool any = sc->c.in.n != 0;

	client_read(&sc->c);
	if (sc->c.closed && !sc->leaving && sc->c.state == CLIENT_ONLINE) {
		sim_fail(s, "u%u/r%u was cut off", sc->user, sc->index);
		sc->leaving = true;
	}
	return any;
}

bool
sim_read_all(struct sim *s)
{
	bool any = false;

	for (unsigned u = 0; u < USERS; u++) {
		for (unsigned i = 0; i < CLIENTS; i++)
			any |= sim_read(s, &s->clients[u][i]);
	}
	return any;
}

void
sim_settle(struct sim *s)
{
	bool any = true;

	for (int i = 0; any && i < 40; i++) {
		world_settle(s->w);
		any = sim_read_all(s);
	}
}

/* --- what users do ------------------------------------------------------------------- */

static void
do_connect(struct sim_client *sc)
{
	client_read(&sc->c); /* who said goodbye reads to the end */
	seeds_say("u%u/r%u connects", sc->user, sc->index);
	sim_owner_begins(sc);
	user_connect(sc, (int)world_draw(sc->c.world, 5));
	sim_tell_lost(sc);
}

static void
do_end(struct sim *s, struct sim_client *sc, bool broken)
{
	seeds_say("u%u/r%u %s", sc->user, sc->index,
		broken ? "breaks" : "leaves");
	sc->leaving = true;
	/* what it sent before may be cut off as well, or be refused when it has
	 * gone: but for what it knows */
	for (unsigned to = 0; (broken || s->bad_disk) && to < USERS; to++) {
		struct pair *p = &s->pairs[sc->user][to];

		for (unsigned i = 0; i < p->sent; i++)
			p->told[i] |= !p->acked[i];
	}
	if (broken)
		client_break(&sc->c);
	else
		client_leave(&sc->c);
}

void
sim_say_with(struct sim *s, struct sim_client *sc, unsigned to, const char *of)
{
	struct pair *p = &s->pairs[sc->user][to];
	unsigned number;

	if (p->sent == MESSAGES_MAX)
		return;
	number = s->next[sc->user][sc->index][to]++;
	seeds_say("u%u/r%u says %u (%u) to u%u", sc->user, sc->index,
		number, p->sent, to);
	user_send(sc,
		"<message type='chat' id='%u-%u' to='u%u@" WORLD_HOST
		"'><body>%u %u %u %u%*s %s</body>%s%s%s</message>",
		to, p->sent, to, sc->user, sc->index, number, p->sent,
		s->small ? LONG : 0, "", model_said(p->sent % MODEL_WORDS),
		of != NULL ? "<retract xmlns='" NS_RETRACT "' id='" : "",
		of != NULL ? of : "", of != NULL ? "'/>" : "");
	user_said(sc, to, p->sent);
	p->by[p->sent] = (uint8_t)sc->index;
	p->retracts[p->sent] = of != NULL;
	p->number[p->sent] = (uint16_t)number;
	p->sender_keeps[p->sent] =
		(uint8_t)sim_is_wanted(s, sc->user, to, CLIENTS);
	p->keeps[p->sent] = (uint8_t)sim_is_wanted(s, to, sc->user, sc->index);
	p->sent++;
}

void
sim_say_to(struct sim *s, struct sim_client *sc, unsigned to)
{
	sim_say_with(s, sc, to, NULL);
}

static const char *const subscription_acts[] = { "subscribe", "subscribe",
	"subscribe", "subscribed", "unsubscribe", "unsubscribed" };

static uint8_t
state_of(const struct sim *s, unsigned u, unsigned v)
{
	return user_state(&s->clients[u][0], &s->clients[v][0]);
}

static bool
asks(const struct sim *s, unsigned u, unsigned v)
{
	return (state_of(s, u, v) & SUB_PENDING_OUT) != 0;
}

static void
do_subscription(struct sim *s, struct sim_client *sc, unsigned to)
{
	const char *act = subscription_acts[world_draw(s->w,
		COUNT(subscription_acts))];

	/* a request that is repeated while its denial is on the way is a new one
	 * to the contact, but denied to who asks: so the tables have it.  The
	 * request before may have been withdrawn meanwhile */
	if (strcmp(act, "subscribe") == 0) {
		if (asks(s, sc->user, to))
			return;
		if (s->asked[sc->user][to])
			sim_settle(s);
		if (sc->c.state != CLIENT_ONLINE)
			return;
		s->asked[sc->user][to] = true;
	}
	seeds_say("u%u/r%u sends %s to u%u", sc->user, sc->index, act, to);
	user_send(sc, "<presence type='%s' to='u%u@" WORLD_HOST "'/>", act, to);
}

static void
do_roster(struct sim *s, struct sim_client *sc, unsigned to)
{
	bool remove = world_draw(s->w, 3) == 0;

	seeds_say("u%u/r%u %s u%u", sc->user, sc->index,
		remove ? "removes" : "names", to);
	user_send(sc,
		"<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item "
		"jid='u%u@" WORLD_HOST "' %s/></query></iq>",
		to, remove ? "subscription='remove'" : "name='somebody'");
}

/* Contacts of whom nothing else is heard, up to what a roster may hold and
 * beyond it. */
static void
do_crowd(struct sim *s, struct sim_client *sc)
{
	uint64_t first = world_draw(s->w, CROWD);
	uint64_t n = world_draw(s->w, CROWD / 4);
	bool remove = world_draw(s->w, 4) == 0;

	seeds_say("u%u/r%u %s %u contacts", sc->user, sc->index,
		remove ? "removes" : "names", (unsigned)n);
	for (uint64_t i = first; i < first + n; i++)
		user_send(sc,
			"<iq type='set' id='r'><query xmlns='jabber:iq:roster'>"
			"<item jid='c%u@" WORLD_HOST "' %s/></query></iq>",
			(unsigned)(i % CROWD),
			remove ? "subscription='remove'" : "name='a contact'");
}

/* Or visible again (XEP-0186 §3.2): it says so itself then. */
static void
do_invisible(struct sim *s, struct sim_client *sc)
{
	sc->invisible = !sc->invisible;
	seeds_say("u%u/r%u is %svisible", sc->user, sc->index,
		sc->invisible ? "in" : "");
	if (sc->invisible)
		user_send(sc, "<iq type='set' id='i'><invisible xmlns='"
			NS_INVISIBLE "' probe='%u'/></iq>",
			(unsigned)world_draw(s->w, 2));
	else
		user_send(sc, "<iq type='set' id='" SIM_VISIBLE "'><visible xmlns='"
			NS_INVISIBLE "'/></iq>");
}

static void
do_presence(struct sim *s, struct sim_client *sc)
{
	if (world_draw(s->w, 4) == 0)
		do_invisible(s, sc);
	user_send(sc,
		"<presence><show>%s</show><priority>%u</priority></presence>",
		world_draw(s->w, 2) == 0 ? "away" : "dnd",
		(unsigned)world_draw(s->w, 3));
}

static void
sim_act(struct sim *s)
{
	struct sim_client *sc = &s->clients[world_draw(s->w, USERS)]
					   [world_draw(s->w, CLIENTS)];
	unsigned to = (unsigned)world_draw(s->w, USERS);

	if (sc->c.conn == NULL) {
		if (!s->small || sc->user < USERS - AWAY ||
			s->step < AWAY_STEP)
			do_connect(sc);
		return;
	}
	if (sc->c.state != CLIENT_ONLINE || sc->leaving || to == sc->user)
		return;
	if (s->counts && (!sc->asked || world_draw(s->w, 4) == 0))
		user_ask(sc);
	if (s->counts && !sc->counted)
		return;
	switch (world_draw(s->w, s->archive ? 18 : 16)) {
	case 0:
		do_end(s, sc, true);
		break;
	case 1:
		do_end(s, sc, false);
		break;
	case 2:
	case 3:
	case 4:
		do_subscription(s, sc, to);
		break;
	case 5:
		do_roster(s, sc, to);
		break;
	case 6:
		do_presence(s, sc);
		break;
	case 7:
		do_crowd(s, sc);
		break;
	case 8:
		for (uint64_t n = world_draw(s->w, 20); n > 0; n--)
			sim_say_to(s, sc, to);
		break;
	case 16:
	case 17:
		sim_owner_acts(s, sc, to);
		break;
	default:
		sim_say_to(s, sc, to);
	}
}

/* --- the disk ------------------------------------------------------------------------ */

static bool
on_disk(void *arg, bool writes)
{
	struct sim *s = arg;

	return writes && world_draw(s->w, 4) == 0;
}

/* Full for twenty steps in the mean, and as long not. */
static void
disk_step(struct sim *s)
{
	if (!s->full_disk || world_draw(s->w, 20) != 0)
		return;
	s->is_full = !s->is_full;
	seeds_say("the disk is %s", s->is_full ? "full" : "not full any more");
	store_set_full(s->w->server->store, s->is_full);
}

static bool
on_stretch(void *arg, enum store_moment at)
{
	struct sim *s = arg;

	(void)at;
	return s->is_gone && world_draw(s->w, 8) != 0;
}

/* Until what was lost has been done, nothing else is. */
static bool
on_moment(void *arg, enum store_moment at)
{
	struct sim *s = arg;
	bool loses = !s->spared && world_draw(s->w, 8) == 0;

	if (loses) {
		s->spared = true;
		s->lost_at = at;
	} else if (at == STORE_AT_ANSWER ||
		(at == STORE_AT_ASKED && s->lost_at == STORE_AT_ANSWER)) {
		s->spared = false;
	}
	return loses;
}

/* As with a full disk. */
static void
loss_step(struct sim *s)
{
	if (!s->long_losses || world_draw(s->w, 20) != 0)
		return;
	s->is_gone = !s->is_gone;
	seeds_say("the database is %s", s->is_gone ? "gone" : "there again");
}

static void
disk_mend(struct sim *s)
{
	struct store *store = s->w->server->store;
	struct store_stats stats;

	store_stats(store, &stats);
	if (!s->bad_disk && stats.outages != 0)
		sim_fail(s, "the second try of something was in vain");
	store_lose_when(store, NULL, NULL);
	store_fail_when(store, NULL, NULL);
	store_busy_when(store, NULL, NULL);
	store_set_full(store, false);
	sim_settle(s);
	/* what could not be read is read again after a while */
	world_sleep(s->w, 5 * US_PER_S);
	sim_settle(s);
	if (!store_takes_writes(store))
		sim_fail(s, "the store has not seen that there is room");
}

/* --- a step ------------------------------------------------------------------------------ */

static void
sim_step(struct sim *s)
{
	s->step++;
	disk_step(s);
	loss_step(s);
	sim_act(s);
	for (uint64_t n = world_draw(s->w, 6); n > 0; n--) {
		world_turn(s->w);
		sim_read_all(s);
	}
	if (world_draw(s->w, 64) == 0)
		world_sleep(s->w, 30 * US_PER_S);
}

/* --- what must hold in the end ----------------------------------------------------------- */

static void
come_online(struct sim *s, bool second_too)
{
	for (unsigned u = 0; u < USERS; u++) {
		for (unsigned i = 0; i < CLIENTS; i++) {
			struct sim_client *sc = &s->clients[u][i];

			/* refused, as the database was gone */
			if (sc->c.state == CLIENT_FAILED)
				client_break(&sc->c);
			if (sc->c.conn == NULL && (i == 0 || second_too))
				do_connect(sc);
		}
	}
	sim_settle(s);
}

/* Nothing is under way: all that is dealt with counts as that. */
static void
check_acknowledged(struct sim *s)
{
	for (unsigned u = 0; u < USERS; u++) {
		for (unsigned i = 0; i < CLIENTS; i++)
			user_ask(&s->clients[u][i]);
	}
	sim_settle(s);
	for (unsigned u = 0; u < USERS; u++) {
		for (unsigned i = 0; i < CLIENTS; i++)
			user_check_acked(&s->clients[u][i]);
	}
}

static void
check_subscriptions(struct sim *s, unsigned u, unsigned v)
{
	uint8_t mine = state_of(s, u, v), theirs = state_of(s, v, u);

	if (!subscription_is_legal(mine))
		sim_fail(s, "u%u has an illegal state with u%u: %u", u, v, mine);
	if (((mine & SUB_TO) != 0) != ((theirs & SUB_FROM) != 0) ||
		((mine & SUB_PENDING_OUT) != 0) !=
			((theirs & SUB_PENDING_IN) != 0))
		sim_fail(s, "u%u has %u with u%u, who has %u", u, mine, v,
			theirs);
}

static bool
is_online(const struct sim_client *sc)
{
	return sc->c.conn != NULL && sc->c.state == CLIENT_ONLINE;
}

static void
check_presence(struct sim *s, unsigned u, unsigned v)
{
	bool entitled = (state_of(s, u, v) & SUB_TO) != 0;

	for (unsigned i = 0; i < CLIENTS; i++) {
		const struct sim_client *at = &s->clients[u][i];

		for (unsigned j = 0; j < CLIENTS; j++) {
			const struct sim_client *other = &s->clients[v][j];

			if (is_online(at))
				user_check_sees(at, other, entitled,
					is_online(other) && !other->invisible);
		}
	}
}

/* Where the disk is bad what is archived may be nowhere else, and is no error. */
static void
check_messages(struct sim *s, unsigned u, unsigned v)
{
	const struct pair *p = &s->pairs[u][v];

	for (unsigned i = 0; i < p->sent; i++) {
		if (!p->arrived[i] && !p->lost[i] && !p->told[i] &&
			!(s->bad_disk && p->archived[i]))
			sim_fail(s, "message %u of u%u never reached u%u", i, u,
				v);
	}
}

static void
sim_check(struct sim *s)
{
	struct buf differs = BUF_INIT;

	if (!world_memory_is_disk(s->w, &differs))
		sim_fail(s, "%s", buf_c(&differs));
	buf_done(&differs);
	for (unsigned u = 0; u < USERS; u++) {
		for (unsigned v = 0; v < USERS; v++) {
			if (u == v)
				continue;
			if (s->bad_disk) {
				check_messages(s, u, v);
				continue;
			}
			check_subscriptions(s, u, v);
			check_presence(s, u, v);
			check_messages(s, u, v);
		}
	}
}

/* --- one seed -------------------------------------------------------------------------------- */

static void
sim_open(struct sim *s, const char *module_dir)
{
	char conf[512];

	/* few in some seeds, so that the limit is met, and all of them in others;
	 * accounts are read again often, with whatever waits for them; and who
	 * sends much is not paused, or it would not be seen when he breaks off */
	snprintf(conf, sizeof(conf),
		"limits: { roster_items: %u, account_idle: 1s, "
		"stanzas_burst: 100000, bytes_burst: 16MiB%s }\n"
		"modules: { testarchive: %s, archive: %s, testresume: {}%s }\n",
		10 + (unsigned)(s->seed * 7 % CROWD),
		/* nobody rests because much waits: time stands still */
		s->small ? ", inbox_bytes: 16MiB" : "",
		s->archives ? "{}" : "off",
		s->small   ? "{ max_bytes: 64KiB, client_trim: yes }" :
		s->archive ? "{ client_trim: yes }" :
			     "off",
		s->small ? ", offline: { max_bytes: 1GiB, stranger_share: 100,"
			   " sender_share: 100 }" :
			   "");
	s->w = world_new(s->seed, 1 + (unsigned)(s->seed % 4), module_dir, conf);
	store_set_whole(s->w->server->store, s->seed / 2 % 2 == 0);
	/* errors are what is wanted then */
	for (int i = 0; s->bad_disk && !seeds_verbose && i < LOG_AREAS; i++)
		log_set_level((enum log_area)i, (enum log_level)-1);
	for (unsigned u = 0; u < USERS; u++) {
		char local[8];

		snprintf(local, sizeof(local), "u%u", u);
		world_add_account(s->w, local);
		for (unsigned i = 0; i < CLIENTS; i++) {
			user_init(&s->clients[u][i], s, s->w, u, i, WORLD_HOST);
			s->clients[u][i].c.on_stanza = on_stanza;
		}
	}
	if (s->shaky_disk)
		store_fail_when(s->w->server->store, on_disk, s);
	if (s->long_losses)
		store_lose_when(s->w->server->store, on_stretch, s);
	if (s->seed % 7 == 5)
		store_lose_when(s->w->server->store, on_moment, s);
	if (s->busy_disk)
		store_busy_when(s->w->server->store, on_disk, s);
}

static bool
sim_run(uint64_t seed, unsigned steps, const char *module_dir, void *arg)
{
	struct sim *s = xcalloc(1, sizeof(*s));
	bool ok;

	(void)arg;
	s->seed = seed;
	s->archives = seed % 2 == 0;
	s->archive = seed % 11 >= 3;
	s->counts = s->archive || seed % 2 == 1;
	s->shaky_disk = seed % 3 == 0;
	s->full_disk = seed % 4 == 1;
	s->long_losses = seed % 7 == 3;
	s->busy_disk = seed % 5 == 0;
	s->bad_disk = s->shaky_disk || s->full_disk || s->long_losses;
	/* where the disk is bad some messages are in the archive alone */
	s->small = s->archive && !s->bad_disk && seed / 12 % 2 == 0;
	sim_open(s, module_dir);
	for (unsigned i = 0; i < steps && !s->failed; i++)
		sim_step(s);
	disk_mend(s);
	come_online(s, world_draw(s->w, 2) == 0);
	if (s->counts)
		check_acknowledged(s);
	sim_check_owners(s);
	if (s->archive)
		sim_want_anew(s);
	sim_check_archives(s);
	sim_check(s);
	if (!s->failed)
		sim_check_queries(s);
	if (!s->failed)
		sim_check_late(s);
	ok = !s->failed;
	for (unsigned u = 0; u < USERS; u++) {
		for (unsigned i = 0; i < CLIENTS; i++)
			client_done(&s->clients[u][i].c);
	}
	world_free(s->w);
	for (unsigned u = 0; u < USERS; u++) {
		for (unsigned i = 0; i < CLIENTS; i++)
			user_done(&s->clients[u][i]);
	}
	free(s);
	return ok;
}

int
main(int argc, char **argv)
{
	struct seeds seeds = { .program = "sim", .first = 1, .n = 20, .steps = 260,
		.module_dirs = "modules/.libs:tests/modules/.libs" };

	if (!seeds_read(&seeds, argc, argv))
		return 2;
	seeds_run(&seeds, sim_run, NULL);
	printf("%llu seeds, %u failed\n", (unsigned long long)seeds.n, seeds.failed);
	return seeds.failed != 0;
}
