/*
 * http_answer.c - answers: status lines, headers, texts, and what is written in
 * parts (RFC 9112 §4, §6, §7.1).
 *
 * Owner shard.  Invariant: what is said of the length of an answer is what is sent, or
 * the connection breaks.
 */
#include "config.h"

#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/conn.h"
#include "http/http_exchange.h"
#include "http/http_text.h"

/* Of a body that nobody has asked for: so much is read to keep the connection. */
#define LEFT_MAX ((int64_t)64 * 1024)
/* A handler that writes parts stops at so much. */
#define PARTS_MAX ((size_t)64 * 1024)

#define RETRY_S "10"
#define NO_STORE "no-store"
#define CSP "default-src 'none'; frame-ancestors 'none'"
#define REFERRER "no-referrer"
#define HSTS "max-age=31536000"

/* RFC 9110 §15, RFC 6585 */
static const struct {
	unsigned status;
	const char *name;
} status_names[] = {
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 206, "Partial Content" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 303, "See Other" },
	{ 304, "Not Modified" },
	{ 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 411, "Length Required" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 416, "Range Not Satisfiable" },
	{ 417, "Expectation Failed" },
	{ 421, "Misdirected Request" },
	{ 422, "Unprocessable Content" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 503, "Service Unavailable" },
	{ 505, "HTTP Version Not Supported" },
	{ 507, "Insufficient Storage" },
};

static const char *
status_name(unsigned status)
{
	for (size_t i = 0; i < COUNT(status_names); i++)
		if (status_names[i].status == status)
			return status_names[i].name;
	return "Unknown"; /* RFC 9112 §4: nobody is to look at it */
}

/* --- heads ------------------------------------------------------------------- */

static bool
is_bodyless(const struct http_exchange *x, unsigned status)
{
	return status == 204 || status == 304 ||
		(x->r.head != NULL && x->r.head->method == HTTP_METHOD_HEAD);
}

/* Of its body so much comes yet, and would have to be dropped, that it is better to
 * begin anew; or nobody knows whether it comes (RFC 9110 §10.1.1). */
static bool
is_left_too_much(const struct http_exchange *x)
{
	const struct http_head *head = x->r.head;

	if (x->in == IN_END || (!head->chunked && head->content_length <= 0))
		return false;
	return head->chunked || (x->in == IN_WANTED && head->expect_continue) ||
		head->content_length - x->r.body_bytes > LEFT_MAX;
}

/* RFC 9112 §9.3, §9.6 */
static bool
ends_behind(const struct http_exchange *x)
{
	return x->close || x->c->leaving || x->r.head == NULL ||
		!x->r.head->keep_alive || is_left_too_much(x) ||
		x->c->requests >= http_limits(x)->http_requests;
}

static const struct http_field no_fields[] = {
	{ .name = NULL },
};

static bool
has_field(const struct http_field *fields, const char *name)
{
	for (; fields->name != NULL; fields++)
		if (strcasecmp(fields->name, name) == 0)
			return true;
	return false;
}

static void
field_default(const struct http_field *fields, const char *name,
	const char *value, struct buf *out)
{
	if (!has_field(fields, name))
		buf_printf(out, "%s: %s\r\n", name, value);
}

/* RFC 9110 §5.5: no control but a tab ends up in a header. */
static void
field_add(const struct http_field *field, struct buf *out)
{
	buf_printf(out, "%s: ", field->name);
	for (size_t i = 0; i < field->value.n; i++) {
		unsigned char c = (unsigned char)field->value.p[i];

		if ((c >= ' ' && c != 0x7f) || c == '\t')
			buf_add(out, &field->value.p[i], 1);
	}
	buf_add_c(out, "\r\n");
}

/* RFC 6797 §7.2: over TLS alone. */
static void
add_hsts(const struct http_exchange *x, struct buf *out)
{
	const struct host *host = http_host(&x->r);

	if (host != NULL && host->conf->hsts && x->r.from.has_tls)
		buf_add_c(out, "Strict-Transport-Security: " HSTS "\r\n");
}

/* RFC 9110 §15.6.4, RFC 6585 §4: it may be asked again, but not at once. */
static void
add_retry(unsigned status, const struct http_field *fields, struct buf *out)
{
	if (status == 429 || status == 503)
		field_default(fields, "Retry-After", RETRY_S, out);
}

static void
add_safety(const struct http_exchange *x, const struct http_field *fields,
	struct buf *out)
{
	field_default(fields, "X-Content-Type-Options", "nosniff", out);
	field_default(fields, "Content-Security-Policy", CSP, out);
	field_default(fields, "Referrer-Policy", REFERRER, out);
	field_default(fields, "Cache-Control", NO_STORE, out);
	add_hsts(x, out);
}

static void
add_framing(const struct http_exchange *x, unsigned status, int64_t length,
	struct buf *out)
{
	if (x->chunked)
		buf_add_c(out, "Transfer-Encoding: chunked\r\n");
	else if (length >= 0 && status != 204 && status != 304)
		buf_printf(out, "Content-Length: %lld\r\n", (long long)length);
	if (x->close)
		buf_add_c(out, "Connection: close\r\n");
	else if (x->r.head->minor == 0)
		buf_add_c(out, "Connection: keep-alive\r\n");
}

/* RFC 9110 §12.5.3, §15.5.16: in which codings a body may come. */
static void
add_codings(unsigned status, struct buf *out)
{
	if (status == 415)
		buf_add_c(out, "Accept-Encoding: identity\r\n");
}

static void
count_status(struct http_exchange *x, unsigned status)
{
	struct shard_stats *s = &x->r.shard->stats;

	x->status = status;
	if (status >= 500)
		s->http_5xx++;
	else if (status >= 400)
		s->http_4xx++;
	else if (status >= 300)
		s->http_3xx++;
	else
		s->http_2xx++;
}

static void
count_bytes(struct http_exchange *x, size_t n)
{
	x->bytes += n;
	x->r.shard->stats.http_bytes_out += n;
}

void
http_answer_head(struct http_exchange *x, unsigned status,
	const struct http_field *fields, int64_t length)
{
	struct buf *out = conn_out(x->c->peer.conn);
	size_t before = out->n;
	char date[HTTP_DATE_SIZE];

	if (fields == NULL)
		fields = no_fields;
	x->bodyless = is_bodyless(x, status);
	x->close = ends_behind(x);
	x->chunked = length < 0 && !x->close && x->r.head->minor > 0;
	if (length < 0 && !x->chunked && !x->bodyless)
		x->close = true;
	count_status(x, status);
	http_date_write(shard_wall_us(x->r.shard) / US_PER_S, date);
	buf_printf(out, "HTTP/1.1 %u %s\r\nDate: %s\r\n", status,
		status_name(status), date);
	add_framing(x, status, length, out);
	add_retry(status, fields, out);
	add_codings(status, out);
	add_safety(x, fields, out);
	http_cors_add(&x->r, out);
	for (; fields->name != NULL; fields++)
		field_add(fields, out);
	buf_add_c(out, "\r\n");
	count_bytes(x, out->n - before);
	conn_wrote(x->c->peer.conn);
}

/* --- small answers ------------------------------------------------------------ */

static void
answer_write(struct http_exchange *x, struct str text)
{
	conn_write(x->c->peer.conn, text.p, text.n);
	count_bytes(x, text.n);
}

static void
answer_text(struct http_exchange *x, unsigned status,
	const struct http_field *fields, struct str text)
{
	http_answer_head(x, status, fields, (int64_t)text.n);
	if (!x->bodyless)
		answer_write(x, text);
	x->out = OUT_DONE;
	http_exchange_answered(x);
}

static const struct http_field *
fields_with_type(const struct http_field *fields, struct http_field *mem,
	size_t n)
{
	size_t i = 0;

	if (fields != NULL && has_field(fields, "Content-Type"))
		return fields;
	mem[i++] = (struct http_field){ "Content-Type",
		STR("text/plain; charset=utf-8") };
	for (; fields != NULL && fields->name != NULL; fields++) {
		assert(i < n - 1);
		mem[i++] = *fields;
	}
	mem[i] = (struct http_field){ .name = NULL };
	return mem;
}

static void
answer_plain(struct http_exchange *x, unsigned status,
	const struct http_field *fields, struct str text)
{
	struct http_field mem[HTTP_FIELDS_MAX + 2];
	char name[64];

	if (status == 204 || status == 304) {
		answer_text(x, status, fields, STR(""));
		return;
	}
	if (text.p == NULL)
		text = (struct str){ name,
			(size_t)snprintf(name, sizeof(name), "%s\n",
				status_name(status)) };
	answer_text(x, status, fields_with_type(fields, mem, COUNT(mem)), text);
}

void
http_refuse(struct http_exchange *x, unsigned status, const char *text,
	const struct http_field *fields)
{
	char mem[160];
	int n = snprintf(mem, sizeof(mem), "%s%s%s\n", status_name(status),
		text != NULL ? ": " : "", text != NULL ? text : "");

	assert(n >= 0 && (size_t)n < sizeof(mem));
	answer_plain(x, status, fields, (struct str){ mem, (size_t)n });
}

void
http_refuse_for_now(struct http_exchange *x, unsigned status, const char *text,
	const char *limit)
{
	x->r.shard->stats.refused++;
	http_log_refused(x, limit);
	http_refuse(x, status, text, NULL);
}

/* False: nobody is there to be answered. */
static bool
may_answer(const struct http_exchange *x)
{
	if (x->is_gone)
		return false;
	assert(x->out == OUT_NONE && x->in != IN_HEAD);
	return true;
}

void
http_answer(struct http_request *r, unsigned status,
	const struct http_field *fields, struct str text)
{
	struct http_exchange *x = http_exchange_of(r);

	if (may_answer(x))
		answer_plain(x, status, fields, text);
}

/* --- in parts ------------------------------------------------------------------ */

void
http_begin(struct http_request *r, unsigned status,
	const struct http_field *fields, int64_t length)
{
	struct http_exchange *x = http_exchange_of(r);

	if (!may_answer(x))
		return;
	http_answer_head(x, status, fields, length);
	x->left = length;
	x->out = OUT_PARTS;
	http_conn_go(x->c);
}

/* RFC 9112 §7.1 */
static void
write_chunk(struct http_exchange *x, const void *p, size_t n)
{
	struct buf *out = conn_out(x->c->peer.conn);
	size_t before = out->n;

	buf_printf(out, "%zx\r\n", n);
	buf_add(out, p, n);
	buf_add_c(out, "\r\n");
	count_bytes(x, out->n - before);
	conn_wrote(x->c->peer.conn);
}

bool
http_write(struct http_request *r, const void *p, size_t n)
{
	struct http_exchange *x = http_exchange_of(r);
	struct conn *conn;

	if (x->is_gone)
		return true;
	assert(x->out == OUT_PARTS);
	conn = x->c->peer.conn;
	if (x->left >= 0) {
		assert((uint64_t)x->left >= n);
		x->left -= (int64_t)n;
	}
	if (n != 0 && !x->bodyless && x->chunked)
		write_chunk(x, p, n);
	else if (!x->bodyless)
		answer_write(x, (struct str){ p, n });
	if (conn_queued(conn) < PARTS_MAX || conn_flush(conn))
		return true;
	x->wants_room = true;
	http_conn_go(x->c);
	return false;
}

void
http_answer_room(struct http_exchange *x)
{
	x->wants_room = false;
	if (x->handled && !x->is_gone && x->r.route->room != NULL)
		x->r.route->room(http_module(&x->r), &x->r);
}

void
http_end(struct http_request *r)
{
	struct http_exchange *x = http_exchange_of(r);

	if (x->is_gone)
		return;
	assert(x->out == OUT_PARTS);
	if (x->left > 0 && !x->bodyless) {
		conn_abort(x->c->peer.conn);
		return;
	}
	if (x->chunked && !x->bodyless)
		answer_write(x, STR("0\r\n\r\n"));
	x->wants_room = false;
	x->out = OUT_DONE;
	http_exchange_answered(x);
}
