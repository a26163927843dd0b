/*
 * http_reader.c - holds what llhttp reads against what we have read.
 *
 * Pure; called by http_parse.c.  Invariant: llhttp begins anew with each request, so
 * that nothing of one is left for the next.
 */
#include "config.h"

#include "http/http_reader.h"

#include <llhttp.h>

#include "base/mem.h"
#include "base/memuse.h"

struct http_reader {
	llhttp_t ll;
	const struct http_reading *says; /* while it reads a head */
	size_t n_names;                  /* of headers that have come */
	size_t n_values;
	struct str body; /* what is to be of the body in what it is shown */
	bool differs;
	bool has_headers; /* all of them */
	bool whole;
};

static int
differ_unless(struct http_reader *r, bool same)
{
	r->differs = r->differs || !same;
	return same ? 0 : -1;
}

static int
on_url(llhttp_t *ll, const char *p, size_t n)
{
	struct http_reader *r = ll->data;

	return differ_unless(r,
		r->says != NULL && p == r->says->target.p &&
			n == r->says->target.n);
}

static int
on_header_field(llhttp_t *ll, const char *p, size_t n)
{
	struct http_reader *r = ll->data;
	size_t i = r->n_names++;

	return differ_unless(r,
		r->says != NULL && i < r->says->n_fields && i == r->n_values &&
			p == r->says->head.p + r->says->fields[i].name &&
			n == r->says->fields[i].name_n);
}

/* With the white space behind it, and once also where it is empty. */
static int
on_header_value(llhttp_t *ll, const char *p, size_t n)
{
	struct http_reader *r = ll->data;
	size_t i = r->n_values++;
	struct str value = str_trim((struct str){ p, n });

	return differ_unless(r,
		r->says != NULL && i < r->says->n_fields &&
			r->n_values == r->n_names &&
			value.n == r->says->fields[i].value_n &&
			(value.n == 0 ||
				value.p == r->says->head.p +
						r->says->fields[i].value));
}

static int
on_headers_complete(llhttp_t *ll)
{
	struct http_reader *r = ll->data;

	r->has_headers = true;
	return differ_unless(r,
		r->says != NULL && r->n_values == r->says->n_fields &&
			ll->http_major == 1 &&
			ll->http_minor == r->says->minor);
}

static int
on_body(llhttp_t *ll, const char *p, size_t n)
{
	struct http_reader *r = ll->data;
	bool same = p == r->body.p && n == r->body.n;

	r->body = (struct str){ p, 0 };
	return differ_unless(r, same);
}

static int
on_message_complete(llhttp_t *ll)
{
	struct http_reader *r = ll->data;
	bool first = !r->whole;

	r->whole = true;
	return differ_unless(r, first);
}

static const llhttp_settings_t settings = {
	.on_url = on_url,
	.on_header_field = on_header_field,
	.on_header_value = on_header_value,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

struct http_reader *
http_reader_new(void)
{
	struct http_reader *r = xcalloc(1, sizeof(*r));

	memuse_add_part(MEMUSE_HTTP, r);
	return r;
}

size_t
http_reader_bytes(void)
{
	return sizeof(struct http_reader);
}

void
http_reader_free(struct http_reader *r)
{
	memuse_remove_part(MEMUSE_HTTP, r);
	free(r);
}

/* llhttp stops behind a request that upgrades, with all of that taken. */
static bool
show(struct http_reader *r, struct str bytes)
{
	llhttp_errno_t e = llhttp_execute(&r->ll, bytes.p, bytes.n);

	if (e == HPE_PAUSED_UPGRADE)
		return !r->differs && r->whole &&
			llhttp_get_error_pos(&r->ll) == bytes.p + bytes.n;
	return e == HPE_OK && !r->differs;
}

bool
http_reader_head(struct http_reader *r, const struct http_reading *says)
{
	bool same;

	*r = (struct http_reader){ .says = says };
	llhttp_init(&r->ll, HTTP_REQUEST, &settings);
	r->ll.data = r;
	same = show(r, says->head) && r->has_headers &&
		str_is(says->method,
			llhttp_method_name((llhttp_method_t)r->ll.method));
	r->says = NULL;
	return same;
}

bool
http_reader_agrees(const struct http_reader *r, int64_t length, bool chunked)
{
	bool has_length = (r->ll.flags & F_CONTENT_LENGTH) != 0;

	/* behind a request without a body nothing is left of it */
	if (length <= 0 && !chunked)
		return r->whole;
	return !r->whole && chunked == ((r->ll.flags & F_CHUNKED) != 0) &&
		has_length == (length > 0) &&
		(!has_length || r->ll.content_length == (uint64_t)length);
}

bool
http_reader_body(struct http_reader *r, struct str data)
{
	r->body = data;
	return show(r, data) && r->body.n == 0;
}

bool
http_reader_framing(struct http_reader *r, struct str bytes)
{
	r->body = (struct str){ NULL, SIZE_MAX };
	return show(r, bytes) && r->body.n == SIZE_MAX;
}

bool
http_reader_is_whole(const struct http_reader *r)
{
	return r->whole;
}
