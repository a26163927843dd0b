/*
 * world.c - a whole server in one thread.
 */
#include "config.h"

#include "world.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "in_memory.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "xml/parser.h"
#include "conf/conf.h"
#include "conf/conf_error.h"
#include "store/store.h"
#include "core/entity.h"
#include "core/server.h"
#include "core/shard.h"
#include "account/account.h"
#include "account/block_list.h"
#include "account/credentials.h"
#include "account/roster.h"
#include "module/module_int.h"
#include "server/server_reload.h"
#include "server/server_start.h"
#include "stream/server/s2s_out.h"

#define CONF_TEXT                                                              \
	"shards: %u\n"                                                         \
	"storage: { driver: %s }\n"                                            \
	"auth: { scram_iterations: 4096 }\n"                                   \
	"hosts:\n"                                                             \
	"%s"                                                                   \
	"%s"
#define HOSTS "  " WORLD_HOST ": { auth: { tls_required: no } }\n"

/* --- modules of several folders ------------------------------------------- */

static void
folder_link(const char *folder, const char *from, const char *name)
{
	char real[PATH_MAX];
	struct buf at = BUF_INIT, to = BUF_INIT;

	buf_printf(&at, "%s/%s", folder, name);
	buf_printf(&to, "%s/%s", from, name);
	if (realpath(buf_c(&to), real) == NULL ||
		symlink(real, buf_c(&at)) == -1)
		in_memory_die("modules", buf_c(&to));
	buf_done(&at);
	buf_done(&to);
}

/* A folder that is not there has none: they may all be in the program. */
static void
folder_link_all(const char *folder, const char *from)
{
	const struct dirent *found;
	DIR *dir = opendir(from);

	if (dir == NULL)
		return;
	while ((found = readdir(dir)) != NULL) {
		size_t n = strlen(found->d_name);

		if (n > 3 && strcmp(found->d_name + n - 3, ".so") == 0)
			folder_link(folder, from, found->d_name);
	}
	closedir(dir);
}

/* NULL when there is one only. */
static char *
folder_new(const char *module_dirs)
{
	char *dirs = xstrdup(module_dirs), *rest = dirs, *dir;
	char *folder = NULL;

	if (strchr(dirs, ':') != NULL) {
		folder = xstrdup("/tmp/antiphon-sim.XXXXXX");
		if (mkdtemp(folder) == NULL)
			in_memory_die("modules", folder);
		while ((dir = strsep(&rest, ":")) != NULL)
			folder_link_all(folder, dir);
	}
	free(dirs);
	return folder;
}

static void
folder_free(char *folder)
{
	const struct dirent *found;
	DIR *dir = folder != NULL ? opendir(folder) : NULL;

	while (dir != NULL && (found = readdir(dir)) != NULL)
		unlinkat(dirfd(dir), found->d_name, 0);
	if (dir != NULL) {
		closedir(dir);
		rmdir(folder);
	}
	free(folder);
}

char *
world_modules(const char *module_dirs)
{
	char *folder = folder_new(module_dirs);

	return folder != NULL ? folder : xstrdup(module_dirs);
}

void
world_modules_free(char *folder, const char *module_dirs)
{
	if (strcmp(folder, module_dirs) != 0)
		folder_free(folder);
	else
		free(folder);
}

/* --- the whole ------------------------------------------------------------ */

static void
world_configure(const struct world *w, struct buf *out)
{
	struct buf driver = BUF_INIT;

	if (w->store != NULL)
		buf_printf(&driver, "sqlite, path: %s/data.sqlite", w->store);
	else
		buf_add_c(&driver, "memory");
	buf_printf(out, CONF_TEXT, w->n_shards, buf_c(&driver),
		w->hosts != NULL ? w->hosts : HOSTS, w->more_conf);
	buf_done(&driver);
}

static void
world_start(struct world *w, unsigned n_shards)
{
	struct buf yaml = BUF_INIT;
	struct server_env env = {
		.clock = &w->clock.clock,
		.rand = &w->rand.source,
		.store_in_memory = w->store == NULL,
	};

	w->n_shards = n_shards;
	world_configure(w, &yaml);
	w->server = in_memory_start(&env,
		w->folder != NULL ? w->folder : w->module_dir, &yaml);
	w->server->reach = w->reach;
	if (w->reach != NULL)
		w->server->remote_streams = &s2s_streams;
}

/* store is taken. */
static struct world *
world_make(uint64_t seed, unsigned n_shards, const char *module_dir,
	const char *more_conf, char *store, const struct world *like)
{
	struct world *w = xcalloc(1, sizeof(*w));

	clock_manual_init(&w->clock, IN_MEMORY_START_US);
	rand_seeded_init(&w->rand, seed);
	rand_seeded_init(&w->turns, ~seed);
	w->folder = folder_new(module_dir);
	w->module_dir = xstrdup(module_dir);
	w->more_conf = xstrdup(more_conf);
	w->store = store;
	w->hosts = like != NULL ? like->hosts : NULL;
	w->reach = like != NULL ? like->reach : NULL;
	w->settle = like != NULL ? like->settle : NULL;
	w->xml = xml_pool_new();
	world_start(w, n_shards);
	return w;
}

struct world *
world_new(uint64_t seed, unsigned n_shards, const char *module_dir,
	const char *more_conf)
{
	return world_make(seed, n_shards, module_dir, more_conf, NULL, NULL);
}

/* In memory all the same, if there is such a folder: what is on disk is not what
 * is simulated. */
static char *
store_folder(void)
{
	const char *at = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	struct buf path = BUF_INIT;
	char *store;

	buf_printf(&path, "%s/antiphon-sim.XXXXXX", at);
	store = xstrdup(buf_c(&path));
	buf_done(&path);
	if (mkdtemp(store) == NULL)
		in_memory_die("store", store);
	return store;
}

struct world *
world_new_lasting(uint64_t seed, unsigned n_shards, const char *module_dir,
	const char *more_conf)
{
	return world_make(seed, n_shards, module_dir, more_conf, store_folder(),
		NULL);
}

struct world *
world_new_like(uint64_t seed, unsigned n_shards, const char *module_dir,
	const char *more_conf, bool lasting, const struct world *like)
{
	return world_make(seed, n_shards, module_dir, more_conf,
		lasting ? store_folder() : NULL, like);
}

static void
on_settle(void *arg)
{
	struct world *w = arg;

	if (w->settle != NULL)
		w->settle(w);
	else
		world_settle(w);
}

/* On shard 0. */
static void
on_publish(struct shard *sh, void *arg)
{
	server_publish(sh->server, arg, NULL, NULL);
}

void
world_reload(struct world *w)
{
	struct module_look *look = module_look_new(w->server->modules, false);
	struct config_modules known;
	struct conf_errors mistakes;
	struct buf yaml = BUF_INIT;
	struct config *conf;

	conf_errors_init(&mistakes);
	world_configure(w, &yaml);
	module_config(look, &known);
	conf = config_parse("test.yml", buf_str(&yaml), &known, &mistakes);
	if (conf == NULL)
		in_memory_die("configuration", mistakes.texts[0]);
	conf_errors_done(&mistakes);
	module_look_free(look);
	buf_done(&yaml);
	shard_post(w->server->shards[0], on_publish, conf, 0);
}

void
world_restart(struct world *w, unsigned n_shards)
{
	in_memory_stop_asleep(w->server, &w->clock, on_settle, w);
	world_start(w, n_shards);
}

static void
file_copy(const char *from, const char *to, const char *name)
{
	char piece[65536];
	struct buf path = BUF_INIT;
	FILE *in, *out;
	size_t n;

	buf_printf(&path, "%s/%s", from, name);
	in = fopen(buf_c(&path), "r");
	buf_done(&path);
	if (in == NULL)
		return;
	buf_printf(&path, "%s/%s", to, name);
	out = fopen(buf_c(&path), "w");
	while ((n = fread(piece, 1, sizeof(piece), in)) != 0)
		if (out == NULL || fwrite(piece, 1, n, out) != n)
			in_memory_die("store", buf_c(&path));
	if (out == NULL || fclose(out) != 0)
		in_memory_die("store", buf_c(&path));
	buf_done(&path);
	fclose(in);
}

/* What is on disk at this moment goes on; the other one ends, and nobody sees it. */
void
world_kill(struct world *w, unsigned n_shards)
{
	char *store = store_folder();

	file_copy(w->store, store, "data.sqlite");
	file_copy(w->store, store, "data.sqlite-wal");
	in_memory_stop(w->server, &w->clock, on_settle, w);
	folder_free(w->store);
	w->store = store;
	world_start(w, n_shards);
}

void
world_free(struct world *w)
{
	in_memory_stop(w->server, &w->clock, on_settle, w);
	xml_pool_free(w->xml);
	folder_free(w->folder);
	folder_free(w->store);
	free(w->module_dir);
	free(w->more_conf);
	free(w);
}

/* --- turns ------------------------------------------------------------------------ */

static bool
turn_one(struct world *w, unsigned who)
{
	w->n_turns++;
	if (who == w->n_shards && w->slow_store && world_draw(w, 16) != 0)
		return !store_is_idle(w->server->store);
	if (who == w->n_shards)
		return store_turn(w->server->store);
	return shard_turn(w->server->shards[who]);
}

void
world_turn(struct world *w)
{
	turn_one(w, (unsigned)world_draw(w, w->n_shards + 1));
}

bool
world_round(struct world *w)
{
	bool busy = false;

	for (unsigned i = 0; i < 4 * (w->n_shards + 1); i++)
		busy = turn_one(w, (unsigned)world_draw(w, w->n_shards + 1)) ||
			busy;
	for (unsigned i = 0; i <= w->n_shards; i++)
		busy = turn_one(w, i) || busy;
	return busy;
}

void
world_settle(struct world *w)
{
	unsigned idle = 0;

	/* a round in which nobody had anything to do, twice: what one says in
	 * its turn, another may answer in the next */
	while (idle < 2)
		idle = world_round(w) ? 0 : idle + 1;
}

int64_t
world_next_us(const struct world *w)
{
	int64_t next = INT64_MAX;

	for (unsigned i = 0; i < w->n_shards; i++)
		next = MIN(next, shard_next_us(w->server->shards[i]));
	return next;
}

void
world_sleep(struct world *w, int64_t us)
{
	int64_t next, now = w->clock.mono_us;

	world_settle(w);
	next = world_next_us(w);
	clock_manual_advance(&w->clock,
		next > now && next - now < us ? next - now : us);
	world_settle(w);
}

/* --- accounts ---------------------------------------------------------------------- */

struct waiting {
	bool done, ok;
};

static void
on_account(void *arg, bool ok, const struct err *err)
{
	struct waiting *wait = arg;

	wait->done = true;
	wait->ok = ok;
	if (!ok)
		fprintf(stderr, "%s\n", err->text);
}

void
world_add_account_at(struct world *w, const char *local, const char *domain)
{
	struct arena *a = arena_new();
	struct credentials creds = { 0 };
	struct buf text = BUF_INIT;
	struct waiting wait = { false, false };
	struct jid jid = jid_make(a, str_c(local), str_c(domain), STR_NONE);

	/* one hash is enough for PLAIN, and cheap */
	if (!credentials_derive(&creds, STR(WORLD_PASSWORD),
		SCRAM_BIT(SCRAM_SHA_256), SCRAM_ITERATIONS_MIN, &w->rand.source,
		NULL))
		in_memory_die("account", "the password is refused");
	credentials_format(&text, &creds);
	account_create(w->server->shards[0], jid, buf_str(&text), on_account,
		&wait);
	world_settle(w);
	if (!wait.done || !wait.ok)
		in_memory_die("account", local);
	buf_done(&text);
	arena_free(a);
}

void
world_add_account(struct world *w, const char *local)
{
	world_add_account_at(w, local, WORLD_HOST);
}

/* --- memory and disk --------------------------------------------------------------- */

static void
account_write(const struct account *acc, struct buf *out)
{
	const struct roster *r = &acc->roster;

	buf_printf(out, "%.*s exists=%d mark=%llx version=%llu\n",
		STR_ARG(jid_str(acc->e.jid)), acc->exists,
		(unsigned long long)acc->credentials_mark,
		(unsigned long long)r->version);
	for (uint32_t i = 0; i < r->n; i++) {
		const struct roster_item *it = roster_at(r, i);

		buf_printf(out, "  %.*s name=%.*s state=%u listed=%d\n",
			STR_ARG(jid_str(roster_item_jid(it))),
			STR_ARG(roster_item_name(it)), it->state, it->listed);
	}
	for (uint32_t i = 0; acc->blocked != NULL && i < acc->blocked->rows.n; i++)
		buf_printf(out, "  %.*s is blocked\n",
			STR_ARG(jid_str(block_list_row(acc->blocked, i))));
}

static void
accounts_write(struct world *w, struct buf *out)
{
	for (unsigned i = 0; i < w->n_shards; i++) {
		struct table *table = &w->server->shards[i]->entities;
		struct table_walk walk = table_walk(table);
		struct entity *e;

		while ((e = table_step(table, &walk)) != NULL)
			if (account_if(e) != NULL)
				account_write(account_of(e), out);
	}
}

static void
reload_on_shard(struct shard *sh, void *arg)
{
	struct table_walk walk = table_walk(&sh->entities);
	struct entity *e;

	(void)arg;
	while ((e = table_step(&sh->entities, &walk)) != NULL)
		if (account_if(e) != NULL)
			account_reload(account_of(e));
}

bool
world_memory_is_disk(struct world *w, struct buf *out)
{
	struct buf before = BUF_INIT, after = BUF_INIT;
	bool same;

	accounts_write(w, &before);
	for (unsigned i = 0; i < w->n_shards; i++)
		shard_post(w->server->shards[i], reload_on_shard, NULL, 0);
	world_settle(w);
	accounts_write(w, &after);
	same = str_eq(buf_str(&before), buf_str(&after));
	if (!same)
		buf_printf(out, "in memory\n%son disk\n%s", buf_c(&before),
			buf_c(&after));
	buf_done(&before);
	buf_done(&after);
	return same;
}
