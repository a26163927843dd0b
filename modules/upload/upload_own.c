/*
 * upload_own.c - a user lists what he has uploaded, and deletes it.
 *
 * There is no specification for that: the namespace is ours, and antiphond(8) tells of
 * it.  Sent to the service by whom the files belong to:
 *
 *	get <files [after='ID']/>	result <files [more='true']>
 *					<file id='' name='' type='' size='' purpose=''
 *					uploaded='' expires='' url=''/>...</files>
 *	set <delete id=''/>		result, or item-not-found
 *
 * Shard of the session that asks.
 */
#include "config.h"

#include "upload.h"

/* Of one answer. */
#define PAGE 100

struct own {
	struct module_entry *entry; /* held */
	struct iq *iq;              /* kept */
	struct shard *shard;
	char *host;
};

static struct own *
own_new(struct module_ctx *m, struct iq *iq)
{
	struct own *o = xmalloc(sizeof(*o));

	*o = (struct own){ module_hold(m), iq, iq->shard,
		str_dup(iq->host->parent->domain) };
	iq_keep(iq);
	return o;
}

static void
own_free(struct own *o)
{
	struct module_entry *entry = o->entry;

	free(o->host);
	free(o);
	module_release(entry);
}

static void
own_refuse(struct own *o, enum stanza_cond cond)
{
	iq_error(o->iq, cond, NULL);
	own_free(o);
}

static struct module_ctx *
own_module(const struct own *o)
{
	return upload_module(o->shard, str_c(o->host), o->entry);
}

/* --- list ---------------------------------------------------------------------------- */

static void
file_add(const struct own *o, struct elem *files, const struct module_ctx *m,
	const struct upload_record *r)
{
	struct arena *a = o->iq->st->arena;
	struct elem *e = elem_add(a, files, NS_UPLOAD_FILES, "file");
	char time[DATETIME_SIZE];
	struct buf url = BUF_INIT;

	elem_set_attr(a, e, "id", r->id);
	elem_set_attr(a, e, "name", r->name);
	elem_set_attr(a, e, "type", r->type);
	elem_set_attr(a, e, "size",
		arena_printf(a, "%llu", (unsigned long long)r->bytes));
	elem_set_attr(a, e, "purpose", str_c(upload_purpose_name(r->purpose)));
	elem_set_attr(a, e, "uploaded", datetime_format(time, r->at_us));
	if (r->due_us != UPLOAD_NEVER_US)
		elem_set_attr(a, e, "expires", datetime_format(time, r->due_us));
	if (upload_url_write(&url, o->shard, m->host, r->id, r->name))
		elem_set_attr(a, e, "url", buf_str(&url));
	buf_done(&url);
}

static void
on_files_read(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct own *o = arg;
	struct module_ctx *m = own_module(o);
	struct elem *files = iq_payload(o->iq, NS_UPLOAD_FILES, "files");

	if (err != NULL || m == NULL) {
		own_refuse(o, err == NULL ? COND_SERVICE_UNAVAILABLE :
				err->code == ERR_MISSING ? COND_ITEM_NOT_FOUND :
				stanza_cond_of(err->code));
		return;
	}
	for (size_t i = 0; i < answer->n; i++) {
		struct upload_record r;

		if (upload_record_read(&r, o->iq->st->arena,
			    &answer->entries[i]))
			file_add(o, files, m, &r);
	}
	if (!answer->complete)
		elem_set_attr(o->iq->st->arena, files, "more", STR("true"));
	iq_result(o->iq, files);
	own_free(o);
}

enum hook_result
upload_on_files(struct module_ctx *m, struct iq *iq)
{
	struct str after = elem_attr(iq->payload, "after");
	struct own *o = own_new(m, iq);

	module_range(m, o->shard, upload_log(str_c(o->host)),
		&(struct store_range){ .with = jid_bare_str(iq->st->from),
			.after_id = upload_id_ok(after) ? after : STR_NONE,
			.max = PAGE },
		on_files_read, o);
	return HOOK_HANDLED;
}

/* --- delete ---------------------------------------------------------------------------- */

static void
on_own_deleted(void *arg, const struct err *why)
{
	struct own *o = arg;

	if (why != NULL) {
		own_refuse(o, stanza_cond_of(why->code));
		return;
	}
	iq_result(o->iq, NULL);
	own_free(o);
}

static void
on_own_found(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct own *o = arg;
	struct module_ctx *m = own_module(o);
	struct upload_record r;

	if (err != NULL)
		own_refuse(o, stanza_cond_of(err->code));
	else if (m == NULL)
		own_refuse(o, COND_SERVICE_UNAVAILABLE);
	else if (answer->n == 0 ||
		!str_eq(answer->entries[0].with, jid_bare_str(o->iq->st->from)) ||
		!upload_record_read(&r, o->iq->st->arena, &answer->entries[0]))
		own_refuse(o, COND_ITEM_NOT_FOUND);
	else
		upload_delete(m, o->shard, str_c(o->host), &r, on_own_deleted,
			o);
}

enum hook_result
upload_on_delete(struct module_ctx *m, struct iq *iq)
{
	struct str id = elem_attr(iq->payload, "id");
	struct own *o;

	if (!upload_id_ok(id)) {
		iq_error(iq, COND_ITEM_NOT_FOUND, NULL);
		return HOOK_HANDLED;
	}
	o = own_new(m, iq);
	module_get_entries(m, o->shard, upload_log(str_c(o->host)), &id, 1,
		STORE_RANGE_MAX, on_own_found, o);
	return HOOK_HANDLED;
}
