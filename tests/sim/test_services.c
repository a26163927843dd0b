/*
 * test_services.c - a service of a module that is switched off and on while it is
 * asked: whatever the order of turns, each question has one answer, and of a
 * module that is off nothing is left.
 */
#include "config.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "conf/conf.h"
#include "conf/conf_error.h"
#include "core/entity.h"
#include "core/host.h"
#include "core/server.h"
#include "core/shard.h"
#include "account/account.h"
#include "account/credentials.h"
#include "module/module_int.h"
#include "server/server_reload.h"
#include "store/store.h"
#include "unit/test.h"
#include "witness.h"
#include "world.h"
#include "xml/elem.h"

#define SEEDS 20
#define QUESTIONS 400
#define ADDRESSES 40
#define SERVICE "echo." WORLD_HOST
#define SET_BYTES ((size_t)20 << 10)
#define MiB (1024 * 1024)
#define FAST                                                                   \
	"limits: { stanzas_per_second: 100000, stanzas_burst: 100000, "        \
	"bytes_per_second: 1GiB, bytes_burst: 1GiB }\n"
#define COUNT_XML "<count xmlns='urn:antiphon:test:echo'/>"

/* --- a folder with the bundled modules, and ours --------------------------------- */

#define FOLDER "/tmp/antiphon-services-XXXXXX"

static char module_dir[sizeof(FOLDER)];

static void
folder_link(const char *path)
{
	char name[4096];

	snprintf(name, sizeof(name), "%s%s", module_dir, strrchr(path, '/'));
	CHECK_INT(symlink(path, name), 0);
}

static void
folder_make(void)
{
	glob_t found;

	strcpy(module_dir, FOLDER);
	CHECK(mkdtemp(module_dir) != NULL);
	/* none, where they are built into the daemon */
	if (glob(TEST_MODULE_DIR "/mod_*.so", 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			folder_link(found.gl_pathv[i]);
		globfree(&found);
	}
	folder_link(TEST_ECHO);
}

static void
folder_remove(void)
{
	char pattern[sizeof(module_dir) + 8];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/*", module_dir);
	CHECK_INT(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		unlink(found.gl_pathv[i]);
	globfree(&found);
	rmdir(module_dir);
}

/* --- a client that counts ------------------------------------------------------- */

struct asker {
	struct client c;
	unsigned answers[QUESTIONS]; /* by id */
	unsigned echoes;
};

static void
on_stanza(struct client *c, struct arena *a, struct elem *e)
{
	struct asker *k = c->user;
	struct str id = elem_attr(e, "id");
	unsigned n;

	if (id.n > 1 && id.p[0] == 'q' &&
		sscanf(arena_str(a, id).p, "q%u", &n) == 1) {
		CHECK(n < QUESTIONS);
		k->answers[n]++;
		k->echoes += str_is(e->name, "message") &&
			!str_is(elem_attr(e, "type"), "error");
	}
	arena_free(a);
}

static void
asker_turns(struct asker *k, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		world_turn(k->c.world);
	client_read(&k->c);
}

static void
asker_settle(struct asker *k)
{
	for (int i = 0; i < 8; i++) {
		world_settle(k->c.world);
		client_read(&k->c);
	}
}

static void
ask(struct asker *k, unsigned n)
{
	struct world *w = k->c.world;
	unsigned who = (unsigned)world_draw(w, ADDRESSES);
	char to[64];

	/* every second one has nobody behind it */
	snprintf(to, sizeof(to), "%c%u@" SERVICE, who % 2 == 0 ? 'e' : 'n', who);
	if (world_draw(w, 2) == 0)
		client_send(&k->c, "<iq type='%s' id='q%u' to='%s'>%s</iq>",
			world_draw(w, 2) == 0 ? "get" : "set", n, to, COUNT_XML);
	else
		client_send(&k->c,
			"<message type='chat' id='q%u' to='%s'><body>x</body></message>",
			n, to);
}

static void
asker_init(struct asker *k, struct world *w)
{
	memset(k, 0, sizeof(*k));
	world_add_account(w, "romeo");
	client_init(&k->c, w, "romeo", "r");
	k->c.on_stanza = on_stanza;
	k->c.user = k;
	client_connect(&k->c);
	asker_settle(k);
	CHECK_INT(k->c.state, CLIENT_ONLINE);
}

static void
asker_done(struct asker *k)
{
	client_leave(&k->c);
	asker_settle(k);
	client_done(&k->c);
}

/* --- the module comes and goes --------------------------------------------------- */

static void
service_switch(struct world *w, bool on)
{
	struct server *srv = w->server;

	server_switch_module(srv, STR("testecho"), on, NULL, NULL);
}

static size_t
echoes_in_memory(const struct world *w)
{
	size_t n = 0;

	for (unsigned i = 0; i < w->n_shards; i++) {
		const struct table *table = &w->server->shards[i]->entities;
		struct table_walk walk = table_walk(table);
		const struct entity *e;

		while ((e = table_step(table, &walk)) != NULL)
			n += strcmp(e->class->name, "echo") == 0;
	}
	return n;
}

static void
run(uint64_t seed)
{
	struct world *w = world_new(seed, 3, module_dir,
		"modules: { testecho: yes }\n");
	struct asker k;
	bool on = true;

	asker_init(&k, w);
	for (unsigned i = 0; i < QUESTIONS; i++) {
		ask(&k, i);
		if (world_draw(w, 20) == 0)
			service_switch(w, on = !on);
		asker_turns(&k, (unsigned)world_draw(w, 12));
	}
	asker_settle(&k);
	for (unsigned i = 0; i < QUESTIONS; i++)
		CHECK_INT(k.answers[i], 1);
	CHECK(k.echoes != 0);
	service_switch(w, true);
	asker_settle(&k);
	memset(k.answers, 0, sizeof(k.answers));
	client_send(&k.c, "<message type='chat' id='q0' to='e@" SERVICE "'/>");
	asker_settle(&k);
	CHECK_INT(k.answers[0], 1);
	CHECK(echoes_in_memory(w) != 0);
	service_switch(w, false);
	asker_settle(&k);
	CHECK_INT(echoes_in_memory(w), 0);
	asker_done(&k);
	world_free(w);
}

TEST(each_question_has_one_answer_while_the_module_comes_and_goes)
{
	folder_make();
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		run(seed);
	folder_remove();
}

/* --- requests that are done one by one ------------------------------------------- */

/* At one address, which wait for each other. */
#define SETS 5

TEST(requests_that_wait_are_answered_though_their_entity_is_dropped)
{
	struct world *w;
	struct asker k;
	struct faults faults = { 0 };

	folder_make();
	w = world_new(1, 3, module_dir, "modules: { testecho: yes }\n");
	asker_init(&k, w);
	client_send(&k.c, "<message type='chat' id='q0' to='e@" SERVICE "'/>");
	asker_settle(&k);
	/* the first fails, and its entity leaves memory */
	store_fail_when(w->server->store, witness_disk, &faults);
	faults.writes = 1;
	for (unsigned i = 1; i <= SETS; i++)
		client_send(&k.c,
			"<iq type='set' id='q%u' to='e@" SERVICE "'>%s</iq>", i,
			COUNT_XML);
	asker_settle(&k);
	for (unsigned i = 0; i <= SETS; i++)
		CHECK_INT(k.answers[i], 1);
	asker_done(&k);
	world_free(w);
	folder_remove();
}

/* --- a domain that changes hands ------------------------------------------------- */

/* It is a host, or a service, or nobody's; each while all kinds of things are
 * asked of its addresses, sessions come and go there, and the store fails. */

#define MOVING "moving.example"
#define MOVERS 6
#define STEPS 400 /* not more than QUESTIONS */
#define ROSTER_SET                                                             \
	"<iq type='set' id='x'><query xmlns='jabber:iq:roster'>"               \
	"<item jid='a@b.example'/></query></iq>"

enum hands { HOSTED, GONE, SERVED, HANDS };

static const char *const hands_conf[HANDS] = {
	[HOSTED] = "  " MOVING ": { auth: { tls_required: no } }\n"
		   "modules: { archive: off }\n",
	[GONE] = "modules: { archive: off, testecho: yes }\n",
	[SERVED] = "modules: { archive: off, "
		   "testecho: { domain: " MOVING " } }\n",
};

struct mover {
	struct asker k; /* at a host that stays */
	struct client all[MOVERS];
	struct buf credentials;
	unsigned asked, told;
	unsigned answers[STEPS];
	struct faults faults;
};

static void
hand_over(struct world *w, enum hands hands)
{
	struct config_modules known;
	struct conf_errors mistakes;
	struct buf yaml = BUF_INIT;
	struct module_look *look;
	struct config *conf;

	conf_errors_init(&mistakes);
	buf_printf(&yaml,
		"shards: 3\nstorage: { driver: memory }\n"
		"auth: { scram_iterations: 4096 }\nhosts:\n"
		"  " WORLD_HOST ": { auth: { tls_required: no } }\n%s",
		hands_conf[hands]);
	look = module_look_new(w->server->modules, false);
	module_config(look, &known);
	conf = config_parse("test.yml", buf_str(&yaml), &known, &mistakes);
	CHECK(conf != NULL);
	conf_errors_done(&mistakes);
	buf_done(&yaml);
	module_look_free(look);
	server_publish(w->server, conf, NULL, NULL);
}

static void
on_told(void *arg, bool ok, const struct err *err)
{
	(void)ok;
	(void)err;
	++*(unsigned *)arg;
}

static void
mover_tell(struct mover *m)
{
	struct world *w = m->k.c.world;
	struct shard *sh = w->server->shards[world_draw(w, w->n_shards)];
	struct arena *a = arena_new();
	struct jid jid = jid_make(a,
		arena_printf(a, "e%u", (unsigned)world_draw(w, MOVERS)),
		STR(MOVING), STR_NONE);
	unsigned *n = &m->answers[m->told++];

	switch (world_draw(w, 8)) {
	case 0:
		account_remove(sh, jid, on_told, n);
		break;
	case 1:
		account_kick(sh, jid, STR_NONE, "go", on_told, n);
		break;
	case 2:
		account_set_credentials(sh, jid, buf_str(&m->credentials),
			STR_NONE, on_told, n);
		break;
	case 3:
		account_trace(sh, jid, world_draw(w, 2) == 0, on_told, n);
		break;
	default:
		account_create(sh, jid, buf_str(&m->credentials), on_told, n);
	}
	arena_free(a);
}

static void
mover_ask(struct mover *m)
{
	static const char *const asks[] = {
		"get'>" COUNT_XML,
		"set'>" COUNT_XML,
		"get'><vCard xmlns='vcard-temp'/>",
		"get'><query xmlns='jabber:iq:last'/>",
		"get'><query xmlns='http://jabber.org/protocol/disco#info'/>",
	};
	struct world *w = m->k.c.world;
	char to[64];

	snprintf(to, sizeof(to), "%c%u@" MOVING,
		world_draw(w, 8) == 0 ? 'n' : 'e',
		(unsigned)world_draw(w, MOVERS));
	if (world_draw(w, 3) != 0) {
		client_send(&m->k.c, "<iq id='q%u' to='%s' type='%s</iq>",
			m->asked++, to, asks[world_draw(w, COUNT(asks))]);
		return;
	}
	client_send(&m->k.c,
		"<message type='chat' to='%s'><body>x</body></message>"
		"<presence to='%s' type='probe'/>", to, to);
}

static void
mover_come(struct world *w, struct client *c)
{
	char local[8];

	if (c->world != NULL)
		client_done(c);
	snprintf(local, sizeof(local), "e%u", (unsigned)world_draw(w, MOVERS));
	client_init(c, w, local, "r");
	c->domain = MOVING;
	client_connect(c);
}

static void
mover_act(struct world *w, struct client *c)
{
	switch (world_draw(w, 6)) {
	case 0:
		client_leave(c);
		break;
	case 1:
		client_break(c);
		break;
	case 2:
		client_send(c, "%s%s", ROSTER_SET, ROSTER_SET);
		break;
	case 3:
		client_send(c,
			"<presence type='subscribe' to='e1@" MOVING "'/>"
			"<presence type='subscribed' to='e2@" MOVING "'/>");
		break;
	default:
		client_send(c,
			"<message type='chat' to='e%u@" MOVING
			"'><body>y</body></message><presence/>",
			(unsigned)world_draw(w, MOVERS));
	}
}

static void
mover_move(struct mover *m)
{
	struct world *w = m->k.c.world;
	struct client *c = &m->all[world_draw(w, MOVERS)];

	if (c->conn == NULL || c->closed || c->state == CLIENT_FAILED) {
		mover_come(w, c);
		return;
	}
	client_read(c);
	if (!c->closed && c->state == CLIENT_ONLINE)
		mover_act(w, c);
}

static unsigned
movers_in_memory(const struct world *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n_shards; i++) {
		const struct table *table = &w->server->shards[i]->entities;
		struct table_walk walk = table_walk(table);
		const struct entity *e;

		while ((e = table_step(table, &walk)) != NULL)
			n += str_is(jid_domain(e->jid), MOVING);
	}
	return n;
}

static void
mover_init(struct mover *m, struct world *w)
{
	struct credentials creds = { 0 };

	*m = (struct mover){ .asked = 0 };
	asker_init(&m->k, w);
	CHECK(credentials_derive(&creds, STR(WORLD_PASSWORD),
		SCRAM_BIT(SCRAM_SHA_256), SCRAM_ITERATIONS_MIN, &w->rand.source,
		NULL));
	credentials_format(&m->credentials, &creds);
	store_fail_when(w->server->store, witness_disk, &m->faults);
}

static void
mover_step(struct mover *m)
{
	struct world *w = m->k.c.world;

	switch (world_draw(w, 4)) {
	case 0:
		mover_tell(m);
		break;
	case 1:
		mover_ask(m);
		break;
	default:
		mover_move(m);
	}
	if (world_draw(w, 20) == 0)
		hand_over(w, (enum hands)world_draw(w, HANDS));
	m->faults.writes += world_draw(w, 20) == 0;
	m->faults.reads += world_draw(w, 20) == 0;
	asker_turns(&m->k, (unsigned)world_draw(w, 20));
}

static void
mover_pass_time(struct mover *m)
{
	for (int i = 0; i < 200; i++)
		world_sleep(m->k.c.world, US_PER_S);
	client_read(&m->k.c);
}

static void
mover_done(struct mover *m)
{
	for (unsigned i = 0; i < MOVERS; i++) {
		if (m->all[i].world != NULL)
			client_done(&m->all[i]);
	}
	asker_done(&m->k);
	buf_done(&m->credentials);
}

static void
mover_run(uint64_t seed)
{
	struct world *w = world_new(seed, 3, module_dir, hands_conf[HOSTED]);
	struct mover m;

	mover_init(&m, w);
	for (unsigned i = 0; i < STEPS; i++)
		mover_step(&m);
	m.faults = (struct faults){ 0 };
	mover_pass_time(&m);
	for (unsigned i = 0; i < m.asked; i++)
		CHECK_INT(m.k.answers[i], 1);
	for (unsigned i = 0; i < m.told; i++)
		CHECK_INT(m.answers[i], 1);
	hand_over(w, GONE);
	mover_pass_time(&m);
	CHECK_INT(movers_in_memory(w), 0);
	mover_done(&m);
	world_free(w);
}

TEST(each_has_one_answer_while_a_domain_changes_hands)
{
	folder_make();
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		mover_run(seed);
	folder_remove();
}

/* --- how much waits ---------------------------------------------------------------- */

/* A resource there is no client: it is ours to answer, too. */
static void
check_bound(const char *resource)
{
	struct world *w = world_new(1, 1, module_dir,
		"modules: { testecho: yes }\n" FAST);
	char *body = xcalloc(1, SET_BYTES + 1);
	struct asker k;
	int64_t before;

	asker_init(&k, w);
	client_send(&k.c, "<iq type='get' id='g' to='e@" SERVICE "'>%s</iq>",
		COUNT_XML);
	asker_settle(&k); /* it is in memory */
	memset(body, 'x', SET_BYTES);
	before = memuse_sum(MEMUSE_ARENA).bytes;
	for (unsigned i = 0; i < QUESTIONS; i++) {
		client_send(&k.c,
			"<iq type='set' id='q%u' to='e@" SERVICE "%s'>"
			"<count xmlns='urn:antiphon:test:echo' n='%u'>%s</count>"
			"</iq>",
			i, resource, i, body);
		shard_turn(w->server->shards[0]);
	}
	CHECK(memuse_sum(MEMUSE_ARENA).bytes - before < 2 * MiB);
	for (int i = 0; i < 100 && k.answers[QUESTIONS - 1] == 0; i++)
		asker_settle(&k);
	for (unsigned i = 0; i < QUESTIONS; i++)
		CHECK_INT(k.answers[i], 1);
	asker_done(&k);
	world_free(w);
	free(body);
}

TEST(what_is_asked_of_a_service_is_bounded_while_the_disk_is_slow)
{
	folder_make();
	check_bound("");
	check_bound("/r");
	folder_remove();
}

TEST_MAIN
