/*
 * upload_get.c - a file is fetched, by whoever knows where it is (XEP-0363 §2).
 *
 * Shard of the request.  Invariant: what is not there, was deleted, is due, or has
 * another name, looks alike; nothing that was uploaded runs in a browser at our name
 * (hostile 64).
 */
#include "config.h"

#include "upload.h"

#include "upload_text.h"

/* RFC 9111 §1.2.2: more is not said. */
#define AGE_MAX_S INT64_C(31536000)

/* As §9.1 has it; and a page of its own, whatever it is. */
#define POLICY                                                                 \
	"default-src 'none'; frame-ancestors 'none'; img-src 'self'; "         \
	"media-src 'self'; sandbox"

struct get {
	struct http_request *r; /* held */
	char id[UPLOAD_ID_BYTES + 1];
	struct buf name;
};

static void
get_end(struct get *g)
{
	struct http_request *r = g->r;

	buf_done(&g->name);
	free(g);
	http_let_go(r);
}

/* What stands under an address never changes: who has it need not ask again, until it
 * is due. */
static void
get_serve(struct get *g, struct upload_storage *s, const struct upload_record *rec,
	int64_t now_us)
{
	struct upload_served as = upload_serve_as(rec->type);
	struct buf disposition = BUF_INIT, cache = BUF_INIT;

	upload_disposition(&disposition, as.is_inline, rec->name);
	buf_printf(&cache, "public, max-age=%lld, immutable",
		(long long)MIN((rec->due_us - now_us) / US_PER_S, AGE_MAX_S));
	STORAGE->serve(s, g->r, g->r->domain, rec->id,
		(const struct http_field[]){
			{ "Content-Type", str_c(as.type) },
			{ "Content-Disposition", buf_str(&disposition) },
			{ "Cache-Control", buf_str(&cache) },
			{ "Content-Security-Policy", STR(POLICY) },
			{ .name = NULL },
		});
	buf_done(&disposition);
	buf_done(&cache);
}

static void
get_answer(struct get *g, const struct store_answer *answer)
{
	struct module_ctx *m = http_module(g->r);
	int64_t now_us = shard_wall_us(g->r->shard);
	struct arena *a = arena_new();
	struct upload_storage *s;
	struct upload_record rec;

	if (m == NULL || answer->n == 0 ||
		!upload_record_read(&rec, a, &answer->entries[0]) ||
		!str_eq(rec.name, buf_str(&g->name)) || rec.due_us <= now_us)
		http_answer(g->r, 404, NULL, STR_NONE);
	else if ((s = upload_storage_of(m, g->r->shard, NULL)) == NULL)
		http_answer(g->r, 503, NULL, STR_NONE);
	else
		get_serve(g, s, &rec, now_us);
	arena_free(a);
}

static void
on_record(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct get *g = arg;

	if (!http_is_gone(g->r)) {
		if (err != NULL)
			http_answer(g->r, 503, NULL, STR_NONE);
		else
			get_answer(g, answer);
	}
	get_end(g);
}

void
upload_get(struct module_ctx *m, struct http_request *r)
{
	struct get *g = xcalloc(1, sizeof(*g));
	struct str id;

	if (!upload_path_read(r->rest, &id, &g->name)) {
		buf_done(&g->name);
		free(g);
		http_answer(r, 404, NULL, STR_NONE);
		return;
	}
	if (!http_want_file(r)) {
		buf_done(&g->name);
		free(g);
		return;
	}
	memcpy(g->id, id.p, UPLOAD_ID_BYTES);
	g->r = r;
	http_hold(r);
	module_get_entries(m, r->shard, upload_log(r->domain), &id, 1,
		STORE_RANGE_MAX, on_record, g);
}
