/*
 * http_text.h - texts within requests and answers of HTTP: segments of paths,
 * queries, lists, dates, ranges, entity tags, and who has forwarded a request.
 *
 * Any thread; pure functions.
 */
#ifndef HTTP_HTTP_TEXT_H
#define HTTP_HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct buf;
struct http_head;

/* --- paths and queries (RFC 3986 §2.1, §3.3, §3.4) ------------------------ */

/*
 * Adds what a segment of a path stands for; it is decoded once, whatever that
 * gives.  False, with out as it was: a '%' without two digits behind it, what no
 * segment may hold as it is, or what no name of a file may be: not UTF-8, ".", "..",
 * or with a '/', '\' or control.  An empty one is fine.
 */
bool http_path_decode(struct str segment, struct buf *out);
/* Adds text as a segment: all but letters, digits and -._~ as %XX. */
void http_path_encode(struct str text, struct buf *out);

/*
 * Takes the next name=value off *query, both still encoded; a name alone has an
 * absent value, and empty items are passed over.  False: no more.
 */
bool http_query_next(struct str *query, struct str *name_out,
	struct str *value_out);
/* Adds what a name or value stands for; '+' is a space.  False, with out as it was:
 * a '%' without digits, or not UTF-8 or with NUL. */
bool http_query_decode(struct str text, struct buf *out);

/* --- lists (RFC 9110 §5.6.1) ---------------------------------------------- */

/* Takes the next item off *list, trimmed; empty ones are passed over, and a comma
 * within quotes separates nothing.  False: no more. */
bool http_list_next(struct str *list, struct str *item_out);
/* Is one of its items that token (lower case), in either case? */
bool http_list_has(struct str list, const char *token);

/* --- dates (RFC 9110 §5.6.7); seconds since 1970 --------------------------- */

/* "Sun, 06 Nov 1994 08:49:37 GMT", and a NUL. */
#define HTTP_DATE_SIZE 30

/* For the years 1 to 9999; what is beyond is taken for the nearest of them. */
void http_date_write(int64_t unix_s, char out[HTTP_DATE_SIZE]);
/* All three forms; now_s is for years of two digits.  False: none of these. */
bool http_date_read(struct str text, int64_t now_s, int64_t *unix_s_out);

/* --- ranges (RFC 9110 §14) ------------------------------------------------- */

enum http_ranged {
	HTTP_RANGE_ALL,  /* 200: no range, one we do not know, or several */
	HTTP_RANGE_PART, /* 206 */
	HTTP_RANGE_NONE, /* 416: begins behind the end */
};

/* Which part of size bytes the value of Range (may be absent) asks for: n of them
 * from `from' on, n > 0; for HTTP_RANGE_ALL these are 0 and size. */
enum http_ranged http_range_read(struct str value, int64_t size,
	int64_t *from_out, int64_t *n_out);

/* --- entity tags (RFC 9110 §8.8.3) ------------------------------------------ */

/*
 * Does the value of If-Match (strong) or If-None-Match (weak) name tag, as it stands
 * in ETag, with its quotes, or is it "*"?  Strong: no W/ on either side.  A list that
 * is none names nothing from there on.
 */
bool http_etags_name(struct str list, struct str tag, bool strong);

/* --- who has sent it -------------------------------------------------------- */

/* Is that address (text of IPv4 or IPv6, without port or brackets) of a proxy whose
 * word counts? */
typedef bool http_trusts(void *arg, struct str address);

/*
 * The client for whom a proxy that is trusted has asked: X-Forwarded-For is read
 * from the right, over proxies that are trusted, to the first that is not; if all
 * are, the first of all.  Where something else than an address stands, nobody
 * further left is believed.  Borrows from head.  Absent: the peer itself has
 * asked, or who it was is not said.
 */
struct str http_forwarded_for(const struct http_head *head, http_trusts *trusts,
	void *arg);

#endif
