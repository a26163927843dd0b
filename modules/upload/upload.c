/*
 * upload.c - lets users upload files by HTTP, for others to fetch (XEP-0363): what
 * the service is called, what it says of itself, and what may be configured.
 *
 * upload.h draws the rest.
 */
#include "config.h"

#include "upload.h"

#include <string.h>

/* How old what is known of the disk may be. */
#define ROOM_KNOWN_US (5 * US_PER_S)

/* --- limits --------------------------------------------------------------------------- */

static struct upload_limit
limit_of(const struct upload_conf *conf, uint64_t file_bytes, uint64_t day_bytes,
	int64_t expire_us)
{
	return (struct upload_limit){
		.file_bytes = file_bytes != 0 ? file_bytes : conf->file_bytes,
		.day_bytes = day_bytes != 0 ? day_bytes : conf->day_bytes,
		.expire_us = expire_us != 0 ? expire_us : conf->expire_after_us,
	};
}

void
upload_limits_of(const struct upload_conf *conf, struct upload_limits *out)
{
	*out = (struct upload_limits){
		.of = {
			[UPLOAD_MESSAGE] = limit_of(conf, 0, 0, 0),
			[UPLOAD_PROFILE] = limit_of(conf,
				conf->profile_file_bytes,
				conf->profile_day_bytes,
				conf->profile_expire_after_us),
			[UPLOAD_EPHEMERAL] = limit_of(conf,
				conf->ephemeral_file_bytes,
				conf->ephemeral_day_bytes,
				conf->ephemeral_expire_after_us),
			[UPLOAD_PERMANENT] = limit_of(conf,
				conf->permanent_file_bytes,
				conf->permanent_day_bytes,
				conf->permanent_expire_after_us),
		},
		.total_bytes = conf->user_bytes,
		.files = (uint64_t)conf->user_files,
	};
}

bool
upload_offers(const struct upload_conf *conf, enum upload_purpose p)
{
	return p == UPLOAD_MESSAGE || /* XEP-0363 §5 */
		option_list_has(&conf->purposes, str_c(upload_purpose_name(p)));
}

/* --- what a shard has -------------------------------------------------------------------- */

struct module_ctx *
upload_module(struct shard *sh, struct str host, const struct module_entry *entry)
{
	struct host *found = shard_host(sh, host);

	return found != NULL ? module_at_host(found, entry) : NULL;
}

struct upload_shard *
upload_shard_at(struct module_entry *entry, struct shard *sh)
{
	struct upload_shard *us = module_entry_state(entry, sh);

	us->shard = sh;
	return us;
}

struct upload_shard *
upload_shard_of(struct module_ctx *m, struct shard *sh)
{
	return upload_shard_at(m->entry, sh);
}

bool
upload_stops(const struct shard *sh)
{
	return sh->streams_closed;
}

/* Beside the database, unless the configuration says where; empty: nowhere. */
static void
place_of_files(struct buf *out, const struct upload_conf *conf,
	const struct store *store)
{
	const char *path = store_path(store);

	if (conf->folder != NULL)
		buf_add_c(out, conf->folder);
	else if (path != NULL)
		buf_printf(out, "%.*sfiles",
			(int)(strrchr(path, '/') != NULL ?
				strrchr(path, '/') + 1 - path : 0), path);
}

static void
on_prepared(void *arg, const struct err *why)
{
	if (why != NULL)
		log_error(LOG_NET, LOG_NOBODY,
			"nothing can be uploaded reason=\"%s\"", why->text);
	module_release(arg);
}

static struct upload_place *
place_open(struct module_ctx *m, struct upload_shard *us, struct str path)
{
	struct upload_place *place = xcalloc(1, sizeof(*place));
	struct module_entry *entry = module_hold(m);
	struct err err = ERR_INIT;

	place->path = str_dup(path);
	place->storage = STORAGE->open(us->shard, place->path);
	LIST_INSERT_HEAD(&us->places, place, link);
	if (!STORAGE->prepare(place->storage, on_prepared, entry, &err))
		on_prepared(entry, &err);
	return place;
}

static void
places_shut(struct upload_shard *us)
{
	struct upload_place *place;

	while ((place = LIST_FIRST(&us->places)) != NULL) {
		LIST_REMOVE(place, link);
		STORAGE->close(place->storage);
		free(place->path);
		free(place);
	}
}

/* Hosts may have one each, and reloads name others. */
static struct upload_place *
place_of(struct module_ctx *m, struct shard *sh, struct err *err)
{
	struct upload_shard *us = upload_shard_of(m, sh);
	struct buf path = BUF_INIT;
	struct upload_place *place;

	place_of_files(&path, m->conf, sh->server->store);
	LIST_FOREACH (place, &us->places, link)
		if (str_is(buf_str(&path), place->path))
			break;
	if (place == NULL && path.n != 0)
		place = place_open(m, us, buf_str(&path));
	if (place == NULL)
		err_set(err, ERR_REFUSED, "no folder is named for files");
	buf_done(&path);
	return place;
}

struct upload_storage *
upload_storage_of(struct module_ctx *m, struct shard *sh, struct err *err)
{
	struct upload_place *place = place_of(m, sh, err);

	return place != NULL ? place->storage : NULL;
}

static void
upload_shard_done(struct shard *sh, void *state)
{
	struct upload_shard *us = state;

	us->shard = sh;
	upload_sweeps_done(us);
	upload_users_done(us);
	upload_notes_done(us);
	places_shut(us);
}

/* --- room on the disk ---------------------------------------------------------------------- */

struct room {
	struct module_entry *entry;
	struct shard *shard;
	struct upload_place *place; /* NULL: there is none */
	uint64_t bytes;
	uint64_t free_bytes; /* that have to stay */
	int64_t free_percent;
	upload_done_fn fn;
	void *arg;
};

static void
room_tell(const struct room *room)
{
	const struct upload_place *at = room->place;
	uint64_t keep = MAX(room->free_bytes,
		at->all_bytes / 100 * (uint64_t)room->free_percent);
	struct err err = ERR_INIT;

	if (at->free_bytes >= room->bytes &&
		at->free_bytes - room->bytes >= keep) {
		room->fn(room->arg, NULL);
		return;
	}
	err_set(&err, ERR_DISK, "%llu bytes are free",
		(unsigned long long)at->free_bytes);
	room->fn(room->arg, &err);
}

static void
on_space(void *arg, uint64_t free_bytes, uint64_t all_bytes,
	const struct err *why)
{
	struct room *room = arg;
	struct module_entry *entry = room->entry;

	if (why != NULL) {
		log_error(LOG_NET, LOG_NOBODY,
			"nothing can be uploaded reason=\"%s\"", why->text);
		room->fn(room->arg, why);
	} else {
		room->place->free_bytes = free_bytes;
		room->place->all_bytes = all_bytes;
		room->place->free_at_us = room->shard->now_us;
		room_tell(room);
	}
	free(room);
	module_release(entry);
}

void
upload_room(struct module_ctx *m, struct shard *sh, uint64_t bytes,
	upload_done_fn fn, void *arg)
{
	const struct upload_conf *conf = m->conf;
	struct err err = ERR_INIT;
	struct upload_place *place = place_of(m, sh, &err);
	struct room *room, now = { .shard = sh, .place = place, .bytes = bytes,
		.free_bytes = conf->disk_free_bytes,
		.free_percent = conf->disk_free_percent, .fn = fn, .arg = arg };

	if (place != NULL && place->free_at_us != 0 &&
		sh->now_us - place->free_at_us < ROOM_KNOWN_US) {
		room_tell(&now);
		return;
	}
	room = xmalloc(sizeof(*room));
	*room = now;
	room->entry = module_hold(m);
	if (place != NULL &&
		STORAGE->space(place->storage, on_space, room, &err))
		return;
	on_space(room, 0, 0, &err);
}

/* --- what it says of itself ------------------------------------------------------------------ */

/* XEP-0363 §3: what is announced to a user is what is granted to him. */
static enum hook_result
on_disco_info(struct module_ctx *m, void *arg)
{
	const struct disco_query *q = arg;
	const struct upload_user *u;
	struct upload_limits limits;
	struct elem *form;

	if (q->node.p != NULL || q->host->service == NULL || q->entity == NULL ||
		jid_local(q->entity->jid).n != 0 ||
		q->host->modules[0].entry != m->entry)
		return HOOK_PASS;
	for (int p = 0; p < UPLOAD_PURPOSES; p++)
		if (upload_offers(m->conf, (enum upload_purpose)p))
			elem_set_attr(q->arena,
				elem_add(q->arena, q->query, NS_DISCO_INFO,
					"feature"),
				"var",
				arena_printf(q->arena, NS_UPLOAD_PURPOSE "#%s",
					upload_purpose_name(
						(enum upload_purpose)p)));
	u = jid_is_set(q->from) ?
		upload_user_find(m, q->shard, q->host->parent->domain,
			jid_bare_str(q->from)) :
		NULL;
	if (u != NULL)
		upload_user_limits(m, u, &limits);
	else
		upload_limits_of(m->conf, &limits);
	form = form_add(q->arena, q->query, "result", NS_UPLOAD);
	form_add_value(q->arena,
		form_add_field(q->arena, form, "max-file-size", "text-single",
			NULL),
		arena_printf(q->arena, "%llu",
			(unsigned long long)upload_max_bytes(&limits,
				UPLOAD_MESSAGE)));
	return HOOK_PASS;
}

struct info_job {
	struct upload_job job; /* first */
	struct iq *iq;         /* kept */
};

static void
info_run(struct module_ctx *m, struct upload_user *u, struct upload_job *job)
{
	struct info_job *info = CONTAINER_OF(job, struct info_job, job);

	(void)m;
	(void)u;
	/* while he is in memory: his place is where he asks */
	iq_again(info->iq);
	info->iq = NULL;
	upload_job_end(job);
}

static void
on_info_home(struct shard *sh, struct upload_job *job)
{
	struct info_job *info = CONTAINER_OF(job, struct info_job, job);

	(void)sh;
	if (info->iq != NULL)
		iq_error(info->iq, stanza_cond_of(job->err.code), NULL);
}

/* A user may have limits of his own, which are read first. */
static enum hook_result
on_info(struct module_ctx *m, struct iq *iq)
{
	struct str bare = jid_bare_str(iq->st->from);
	const struct host *host = iq->host->parent;
	struct info_job *info;

	if (!upload_is_local(host->domain, bare) ||
		!place_is_here(iq->shard,
			server_place_of(iq->shard->server, bare)) ||
		account_find(iq->shard, bare) == NULL ||
		upload_user_find(m, iq->shard, host->domain, bare) != NULL)
		return HOOK_PASS;
	info = xcalloc(1, sizeof(*info));
	info->iq = iq;
	info->job.run = info_run;
	info->job.done = on_info_home;
	iq_keep(iq);
	upload_ask(m, iq->shard, &info->job, host->domain, bare);
	return HOOK_HANDLED;
}

/* --- accounts that go -------------------------------------------------------------------------- */

/* What he has uploaded is found by his address: what is younger than this is of
 * another one who has got the name since. */
static enum hook_result
on_remove(struct module_ctx *m, void *arg)
{
	struct account_removal *r = arg;
	struct account *acc = r->account;

	(void)m;
	store_tx_append(r->tx, upload_removed_log(account_domain(acc)), STR_NONE,
		shard_wall_us(acc->e.shard), jid_str(acc->e.jid), STR(""));
	return HOOK_PASS;
}

static enum hook_result
on_removing(struct module_ctx *m, void *arg)
{
	struct account *acc = arg;

	upload_user_forget(upload_shard_of(m, acc->e.shard), account_domain(acc),
		jid_str(acc->e.jid));
	upload_sweep_soon(m, acc->e.shard, account_domain(acc));
	return HOOK_PASS;
}

/* --- tables ------------------------------------------------------------------------------------- */

/* Files are for everybody who knows where they are; slots are for our users. */
static bool
upload_stays_home(const void *conf)
{
	return ((const struct upload_conf *)conf)->allow.n == 0;
}

/* What is announced has to be granted (XEP-0363 §3), so it may be less than the file
 * says. */
static void
upload_note(const void *conf, struct buf *out)
{
	struct upload_limits limits;

	upload_limits_of(conf, &limits);
	for (int p = 0; p < UPLOAD_PURPOSES; p++) {
		uint64_t max = upload_max_bytes(&limits, (enum upload_purpose)p);

		if (upload_offers(conf, (enum upload_purpose)p) &&
			max < limits.of[p].file_bytes)
			buf_printf(out,
				"%sfiles of purpose %s may have %llu bytes at most, less than file_bytes, since %s is less",
				out->n != 0 ? "; " : "",
				upload_purpose_name((enum upload_purpose)p),
				(unsigned long long)max,
				max == limits.of[p].day_bytes ? "day_bytes" :
								"user_bytes");
	}
}

static const struct service upload_services[] = {
	{ .option = "domain",
		.kinds = (const char *const[]){ "https", "web", "http", NULL },
		.hindrance = http_hindrance, .category = "store",
		.type = "file", .name = "HTTP File Upload",
		.is_local = upload_stays_home,
		.features = (const char *const[]){ NS_UPLOAD, NS_UPLOAD_FILES,
			NULL } },
	{ .option = NULL },
};

static const struct iq_handler upload_iqs[] = {
	{ IQ_GET, AT_SERVICE, NS_UPLOAD, "request", upload_on_request },
	{ IQ_GET, AT_SERVICE, NS_UPLOAD_FILES, "files", upload_on_files },
	{ IQ_SET, AT_SERVICE | STORES, NS_UPLOAD_FILES, "delete",
		upload_on_delete },
	{ IQ_GET, AT_SERVICE, NS_DISCO_INFO, "query", on_info },
	{ .fn = NULL },
};

static const struct hook_handler upload_hooks[] = {
	{ HOOK_DISCO_INFO, HOOK_CHANGE, on_disco_info },
	{ HOOK_ACCOUNT_REMOVE, HOOK_KEEP, on_remove },
	{ HOOK_ACCOUNT_REMOVING, HOOK_DELIVER, on_removing },
	{ HOOK_SESSION_SEND, HOOK_KEEP, upload_on_send },
	{ .fn = NULL },
};

/* Clients in browsers come from anywhere (XEP-0363 §8). */
static const struct http_cors upload_cors = {
	.headers = "Authorization, Content-Type",
};

static void
upload_begin(struct module_ctx *m, struct http_request *r)
{
	if (r->head->method == HTTP_METHOD_PUT)
		upload_put(m, r);
	else
		upload_get(m, r);
}

static const struct http_route upload_routes[] = {
	{ .prefix = UPLOAD_PREFIX, .methods = HTTP_ALLOW_GET | HTTP_ALLOW_PUT,
		.cors = &upload_cors, .state = sizeof(struct upload_put),
		.begin = upload_begin, .body = upload_put_body,
		.place = upload_put_place, .placed = upload_put_placed,
		.whole = upload_put_whole, .gone = upload_put_gone,
		.done = upload_put_done },
	{ .prefix = NULL },
};

#define OFF(field) offsetof(struct upload_conf, field)

static const char *const purpose_choices[] = { "profile", "ephemeral",
	"permanent", NULL };

#define FILE_BYTES(field, what, d)                                             \
	{                                                                      \
		.name = #field, .type = OPT_SIZE, .dflt = d, .min = "0",       \
		.max = "16TiB", .off = OFF(field),                             \
		.help = "how large a file " what " may be; 0: as file_bytes"   \
	}
#define DAY_BYTES(field, what, d)                                              \
	{                                                                      \
		.name = #field, .type = OPT_SIZE, .dflt = d, .min = "0",       \
		.max = "1024TiB", .off = OFF(field),                           \
		.help = "how much of files " what " a user may upload in a "   \
			"day; 0: as much as day_bytes, and apart from it"      \
	}
#define EXPIRE(field, what, d)                                                 \
	{                                                                      \
		.name = #field, .type = OPT_DURATION, .dflt = d, .min = "0s",  \
		.max = "never", .off = OFF(field##_us),                        \
		.help = "after how long a file " what " is deleted; 0s: "      \
			"after expire_after"                                   \
	}
#define OF_PROFILE "of purpose `profile'"
#define OF_EPHEMERAL "of purpose `ephemeral'"
#define OF_PERMANENT "of purpose `permanent'"

static const struct option upload_options[] = {
	{ .name = "domain", .type = OPT_DOMAIN, .service = true, .dflt = "upload",
		.off = OFF(domain),
		.help = "the domain of the service, below that of the host "
			"unless it has a dot; files are at that of the host" },
	{ .name = "folder", .type = OPT_PATH, .folder = true, .off = OFF(folder),
		.help = "where files are kept; by default in a folder `files' "
			"beside the database",
		.example = "/srv/antiphon/files" },
	{ .name = "allow", .type = OPT_LIST, .item = OPT_JID, .alone = true,
		.off = OFF(allow),
		.help = "who may upload files beside the users of the host: "
			"addresses, and domains with all of theirs",
		.example = "[ anna@example.net, irc.example.org ]" },
	{ .name = "file_bytes", .type = OPT_SIZE, .dflt = "100MiB", .min = "1",
		.max = "16TiB", .off = OFF(file_bytes),
		.help = "how large a file may be" },
	{ .name = "day_bytes", .type = OPT_SIZE, .dflt = "1GiB", .min = "1",
		.max = "1024TiB", .off = OFF(day_bytes),
		.help = "how much a user may upload in a day, of UTC; no file "
			"may be larger" },
	{ .name = "expire_after", .type = OPT_DURATION, .dflt = "31d",
		.min = "1m", .max = "never", .off = OFF(expire_after_us),
		.help = "after how long a file is deleted that is uploaded from "
			"now on" },
	{ .name = "purposes", .type = OPT_LIST, .item = OPT_CHOICE,
		.choices = purpose_choices, .dflt = "profile, ephemeral",
		.alone = true, .off = OFF(purposes),
		.help = "what files may be for, beside messages: profiles, "
			"which have to stay; what expires at a time that the "
			"user names; and what is to stay for ever" },
	FILE_BYTES(profile_file_bytes, OF_PROFILE, "4MiB"),
	DAY_BYTES(profile_day_bytes, OF_PROFILE, "32MiB"),
	EXPIRE(profile_expire_after, OF_PROFILE, "never"),
	FILE_BYTES(ephemeral_file_bytes, OF_EPHEMERAL, "0"),
	DAY_BYTES(ephemeral_day_bytes, OF_EPHEMERAL, "0"),
	EXPIRE(ephemeral_expire_after, OF_EPHEMERAL, "0s"),
	FILE_BYTES(permanent_file_bytes, OF_PERMANENT, "0"),
	DAY_BYTES(permanent_day_bytes, OF_PERMANENT, "0"),
	EXPIRE(permanent_expire_after, OF_PERMANENT, "never"),
	{ .name = "user_bytes", .type = OPT_SIZE, .dflt = "0", .min = "0",
		.max = "1024TiB", .off = OFF(user_bytes),
		.help = "how much a user may have here, in all; 0: any amount, "
			"as far as the others let him" },
	{ .name = "user_files", .type = OPT_INT, .dflt = "10000", .min = "1",
		.max = "10000000", .off = OFF(user_files),
		.help = "how many files a user may have here" },
	{ .name = "user_slots", .type = OPT_INT, .dflt = "50", .min = "1",
		.max = "1000", .off = OFF(user_slots),
		.help = "how many slots a user may have at once that he has not "
			"used" },
	{ .name = "slot_timeout", .type = OPT_DURATION, .dflt = "5m",
		.min = "10s", .max = "1h", .off = OFF(slot_timeout_us),
		.help = "how long after a slot was asked for the upload has to "
			"begin" },
	{ .name = "disk_free_bytes", .type = OPT_SIZE, .dflt = "1GiB",
		.min = "0", .max = "1024TiB", .off = OFF(disk_free_bytes),
		.help = "how much of the disk has to stay free: less is left "
			"for nobody who uploads" },
	{ .name = "disk_free_percent", .type = OPT_INT, .dflt = "5", .min = "0",
		.max = "99", .off = OFF(disk_free_percent),
		.help = "the same, in hundredths of the disk; the larger one "
			"counts" },
	{ .name = "sync", .type = OPT_SWITCH, .dflt = "yes", .off = OFF(sync),
		.help = "a file is on disk before the client hears of it; "
			"without, the last files may be lost when the machine "
			"crashes" },
	{ .name = "delete_retracted", .type = OPT_SWITCH, .dflt = "yes",
		.off = OFF(retract),
		.help = "a file goes when who has uploaded it retracts the "
			"message in which he has sent it (XEP-0424)" },
	{ .name = NULL },
};

MODULE(upload) = {
	.api = MODULE_API,
	.name = "upload",
	.summary = "let users upload files, for others to fetch",
	.specs = "XEP-0363 1.2.0",
	.options = upload_options,
	.conf_size = sizeof(struct upload_conf),
	.hooks = upload_hooks,
	.iqs = upload_iqs,
	.services = upload_services,
	.routes = upload_routes,
	.commands = upload_commands,
	.shard_state = sizeof(struct upload_shard),
	.shard_done = upload_shard_done,
	.follow = upload_follow,
	.note = upload_note,
};
