/*
 * http_file.c - answers that are files: conditions, ranges, and the bytes, which the
 * disk sends.
 *
 * Owner shard.  RFC 9110 §13.2.2 has the order in which conditions are looked at.
 */
#include "config.h"

#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/conn.h"
#include "disk/disk.h"
#include "disk/disk_send.h"
#include "http/http_exchange.h"
#include "http/http_text.h"

/* What is added to the fields of the handler. */
#define OWN_FIELDS 4

struct field_list {
	struct http_field all[HTTP_FIELDS_MAX + OWN_FIELDS + 1];
	size_t n;
	char date[HTTP_DATE_SIZE];
	char range[80];
};

static void
field_push(struct field_list *l, const char *name, struct str value)
{
	assert(l->n < COUNT(l->all) - 1);
	l->all[l->n++] = (struct http_field){ name, value };
}

/* --- conditions ---------------------------------------------------------------- */

/* Dates have no fractions. */
static int64_t
changed_s(const struct http_file *f)
{
	return f->changed_us / US_PER_S;
}

/* What no list says: absent where there are several of them, too (RFC 9110 §5.3). */
static struct str
find_single(const struct http_request *r, const char *name)
{
	const struct http_header *h = http_head_next(r->head, name, NULL);

	return h != NULL && http_head_next(r->head, name, h) == NULL ?
		h->value :
		STR_NONE;
}

/* The date in a header of r.  False: there is none that can be compared. */
static bool
date_of(const struct http_request *r, const char *name,
	const struct http_file *f, int64_t *out)
{
	struct str value = find_single(r, name);

	return value.p != NULL && f->changed_us != 0 &&
		http_date_read(value, shard_wall_us(r->shard) / US_PER_S, out);
}

static bool
tags_name(struct str list, const struct http_file *f, bool strong)
{
	/* one without a tag is there all the same, which "*" asks */
	return http_etags_name(list, f->etag.p != NULL ? f->etag : STR("\"\""),
		       strong) &&
		(f->etag.p != NULL || str_is(list, "*"));
}

/* Several headers of a name are one list (RFC 9110 §5.3). */
static bool
any_names(const struct http_request *r, const char *name,
	const struct http_file *f, bool strong)
{
	const struct http_header *h = NULL;

	while ((h = http_head_next(r->head, name, h)) != NULL)
		if (tags_name(h->value, f, strong))
			return true;
	return false;
}

/* 0: it may be sent. */
static unsigned
conditions_refuse(const struct http_request *r, const struct http_file *f)
{
	int64_t date;

	if (http_head_find(r->head, "if-match").p != NULL) {
		if (!any_names(r, "if-match", f, true))
			return 412;
	} else if (date_of(r, "if-unmodified-since", f, &date) &&
		changed_s(f) > date) {
		return 412;
	}
	if (http_head_find(r->head, "if-none-match").p != NULL)
		return any_names(r, "if-none-match", f, false) ? 304 : 0;
	return date_of(r, "if-modified-since", f, &date) &&
			changed_s(f) <= date ?
		304 :
		0;
}

/* RFC 9110 §13.1.5: a part fits only what the rest is of.  A date is strong
 * enough where it is not of this second (§8.8.2.2). */
static bool
range_fits(const struct http_request *r, const struct http_file *f)
{
	struct str value = find_single(r, "if-range");
	int64_t date, now_s = shard_wall_us(r->shard) / US_PER_S;

	if (http_head_find(r->head, "if-range").p == NULL)
		return true;
	if (str_starts(value, STR("\"")) || str_starts(value, STR("W/")))
		return f->etag.p != NULL && str_eq(value, f->etag);
	return date_of(r, "if-range", f, &date) && date == changed_s(f) &&
		date < now_s - 1;
}

static enum http_ranged
range_of(const struct http_request *r, const struct http_file *f, int64_t *from,
	int64_t *n)
{
	struct str value = STR_NONE;

	/* RFC 9110 §14.2: of other methods it says nothing */
	if (r->head->method == HTTP_METHOD_GET && range_fits(r, f))
		value = find_single(r, "range");
	return http_range_read(value, (int64_t)f->size, from, n);
}

/* --- headers ------------------------------------------------------------------- */

/* What caches have stays as it was but for what is sent (RFC 9111 §3.2), and so all is
 * sent that is not about a body (RFC 9110 §15.4.5). */
static bool
is_of_body(const char *name)
{
	return strcasecmp(name, "Content-Type") == 0 ||
		strcasecmp(name, "Content-Disposition") == 0;
}

static void
list_fill(struct field_list *l, const struct http_request *r,
	const struct http_file *f, const struct http_field *fields,
	unsigned status)
{
	int64_t now_s = shard_wall_us(r->shard) / US_PER_S;

	for (; fields != NULL && fields->name != NULL; fields++)
		if (status != 304 || !is_of_body(fields->name))
			field_push(l, fields->name, fields->value);
	if (f->etag.p != NULL)
		field_push(l, "ETag", f->etag);
	if (f->changed_us != 0) {
		/* not behind Date, whatever a clock has said (§8.8.2.1) */
		http_date_write(MIN(changed_s(f), now_s), l->date);
		field_push(l, "Last-Modified", str_c(l->date));
	}
	field_push(l, "Accept-Ranges", STR("bytes"));
}

static void
list_add_range(struct field_list *l, int64_t from, int64_t n, uint64_t size)
{
	snprintf(l->range, sizeof(l->range), "bytes %lld-%lld/%llu",
		(long long)from, (long long)(from + n - 1),
		(unsigned long long)size);
	field_push(l, "Content-Range", str_c(l->range));
}

/* --- sending ------------------------------------------------------------------- */

static void
on_file_sent(void *arg)
{
	struct http_exchange *x = arg;

	TAG_CHECK(x, "http");
	disk_file_close(x->file);
	x->file = NULL;
	x->out = OUT_DONE;
	http_exchange_answered(x);
}

static void
file_send(struct http_exchange *x, const struct http_file *f, int64_t from,
	int64_t n)
{
	x->file = f->file;
	if (x->bodyless || n == 0) {
		on_file_sent(x);
		return;
	}
	x->out = OUT_FILE;
	x->bytes += (uint64_t)n;
	x->r.shard->stats.http_bytes_out += (uint64_t)n;
	disk_send(x->c->peer.conn, x->file, (uint64_t)from, (uint64_t)n,
		on_file_sent, x);
	http_exchange_answered(x);
}

static void
file_refuse(struct http_exchange *x, const struct http_file *f,
	const struct http_field *fields, unsigned status)
{
	struct field_list l = { .n = 0 };

	disk_file_close(f->file);
	if (status == 304) {
		list_fill(&l, &x->r, f, fields, status);
	} else if (status == 416) {
		snprintf(l.range, sizeof(l.range), "bytes */%llu",
			(unsigned long long)f->size);
		field_push(&l, "Content-Range", str_c(l.range));
	}
	http_refuse(x, status, NULL, l.all);
}

void
http_answer_file(struct http_request *r, const struct http_file *f,
	const struct http_field *fields)
{
	struct http_exchange *x = http_exchange_of(r);
	struct field_list l = { .n = 0 };
	enum http_ranged ranged;
	int64_t from, n;
	unsigned status;

	if (x->is_gone) {
		disk_file_close(f->file);
		return;
	}
	assert(x->out == OUT_NONE && x->in != IN_HEAD && x->wants_file);
	status = conditions_refuse(r, f);
	ranged = range_of(r, f, &from, &n);
	if (status == 0 && ranged == HTTP_RANGE_NONE)
		status = 416;
	if (status != 0) {
		file_refuse(x, f, fields, status);
		return;
	}
	list_fill(&l, r, f, fields, 200);
	if (ranged == HTTP_RANGE_PART)
		list_add_range(&l, from, n, f->size);
	http_answer_head(x, ranged == HTTP_RANGE_PART ? 206 : 200, l.all, n);
	file_send(x, f, from, n);
}
