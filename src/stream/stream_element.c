/*
 * stream_element.c - finds who handles an element that is no stanza: its kind of
 * stream, or a module of its host; and what a stream does for them.
 *
 * Owner shard.
 */
#include "config.h"

#include "stream/stream_int.h"

#include "base/mem.h"
#include "xml/elem.h"
#include "net/conn.h"
#include "conf/conf.h"
#include "core/element.h"
#include "core/handler_table.h"
#include "core/host.h"

/* --- what a stream does --------------------------------------------------- */

/* Of who asks and asks, and does not read the answers, no more waits than of
 * stanzas. */
static void
on_write(void *stream, const struct elem *e)
{
	struct stream *x = stream;
	size_t queued;

	if (x->stage == STAGE_CLOSED)
		return;
	stream_write(x, e);
	queued = conn_queued(x->conn);
	if (queued > x->shard->snap->config->limits.write_queue_max_bytes)
		stream_cut(x, "does not read what it is sent", queued);
}

static void
on_end(void *stream, enum stream_cond cond, const char *text)
{
	stream_end(stream, cond, text);
}

static void
on_end_app(void *stream, enum stream_cond cond, const struct elem *app,
	const char *text)
{
	stream_end_app(stream, cond, app, text);
}

static bool
on_move(void *stream, struct place to)
{
	return stream_move(stream, to);
}

static uint64_t
on_keep(void *stream)
{
	stream_hold(stream);
	return stream_token(stream);
}

static void
on_go_on(void *stream)
{
	struct stream *x = stream;

	if (x->stage == STAGE_CLOSED)
		return;
	stream_seen(x);
	(void)stream_release(x);
}

static void
on_lose(void *stream)
{
	struct stream *x = stream;

	x->lost = true;
}

static bool on_find(struct shard *sh, uint64_t token, struct element *out);

static const struct element_stream stream_ops = { on_write, on_end, on_end_app,
	on_move, on_keep, on_find, on_go_on, on_lose };

/* False: for its kind alone. */
static bool
stream_about(struct stream *x, struct element *out)
{
	*out = (struct element){
		.shard = x->shard,
		.host = x->kind->host(x),
		.account = STR_NONE,
		.secure = conn_is_secure(x->conn),
		.lost = x->lost,
		.stream = x,
		.ops = &stream_ops,
	};
	return x->kind->about(x, out);
}

static bool
on_find(struct shard *sh, uint64_t token, struct element *out)
{
	struct stream *x = stream_find(sh, token);

	if (x == NULL)
		return false;
	(void)stream_about(x, out);
	return true;
}

/* --- who handles it ------------------------------------------------------- */

static bool
row_takes(const struct element_handler *row, struct module_ctx *m,
	struct element *el)
{
	return (row->stages & el->stage) != 0 &&
		row->fn(m, el) == HOOK_HANDLED;
}

bool
stream_handle(struct stream *x, struct arena *a, struct elem *e)
{
	const struct element_handler *row = x->kind->elements;
	const struct handler_entry *entry;
	struct element el;
	bool modules = stream_about(x, &el);

	el.arena = a;
	el.e = e;
	for (; row->fn != NULL; row++) {
		if (elem_is(e, row->ns, row->name) && row_takes(row, NULL, &el))
			return true;
	}
	if (!modules || el.host == NULL)
		return false;
	entry = handler_table_find(el.host->elements, e);
	for (; entry != NULL; entry = entry->next) {
		if (row_takes(entry->row, entry->ctx, &el))
			return true;
	}
	return false;
}
