/*
 * upload_limits.c - how much a user may upload.
 *
 * Pure.  Invariant: what upload_max_bytes() says is granted to who has nothing.
 */
#include "config.h"

#include "upload_limits.h"

#define DAY_US (86400 * US_PER_S)

static const char *const purpose_names[UPLOAD_PURPOSES] = {
	[UPLOAD_MESSAGE] = "message",
	[UPLOAD_PROFILE] = "profile",
	[UPLOAD_EPHEMERAL] = "ephemeral",
	[UPLOAD_PERMANENT] = "permanent",
};

const char *
upload_purpose_name(enum upload_purpose p)
{
	return purpose_names[p];
}

bool
upload_purpose_parse(struct str name, enum upload_purpose *out)
{
	for (int p = 0; p < UPLOAD_PURPOSES; p++)
		if (str_is(name, purpose_names[p])) {
			*out = (enum upload_purpose)p;
			return true;
		}
	return false;
}

/* --- numbers in a row ---------------------------------------------------------------- */

/* All of text is n numbers with a blank between. */
static bool
numbers_read(struct str text, int64_t min, int64_t *const *out, size_t n)
{
	struct str one;
	long long value;

	for (size_t i = 0; i < n; i++) {
		if (str_cut(text, ' ', &one, &text) != (i + 1 < n) ||
			!str_to_int(one, min, INT64_MAX, &value))
			return false;
		*out[i] = value;
	}
	return true;
}

static void
numbers_write(struct buf *out, int64_t *const *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(out, i == 0 ? "%lld" : " %lld", (long long)*from[i]);
}

/* --- limits of one user --------------------------------------------------------------- */

#define OWN_NUMBERS (3 * UPLOAD_PURPOSES + 2)

static void
own_numbers(struct upload_own *own, int64_t **out)
{
	for (int p = 0; p < UPLOAD_PURPOSES; p++) {
		*out++ = &own->file_bytes[p];
		*out++ = &own->day_bytes[p];
		*out++ = &own->expire_us[p];
	}
	*out++ = &own->total_bytes;
	*out = &own->files;
}

void
upload_own_init(struct upload_own *own)
{
	int64_t *numbers[OWN_NUMBERS];

	own_numbers(own, numbers);
	for (size_t i = 0; i < OWN_NUMBERS; i++)
		*numbers[i] = -1;
}

void
upload_own_write(struct buf *out, const struct upload_own *own)
{
	struct upload_own copy = *own;
	int64_t *numbers[OWN_NUMBERS];

	own_numbers(&copy, numbers);
	numbers_write(out, numbers, OWN_NUMBERS);
}

bool
upload_own_read(struct upload_own *own, struct str text)
{
	int64_t *numbers[OWN_NUMBERS];

	own_numbers(own, numbers);
	if (numbers_read(text, -1, numbers, OWN_NUMBERS))
		return true;
	upload_own_init(own);
	return false;
}

void
upload_own_apply(const struct upload_own *own, struct upload_limits *limits)
{
	for (int p = 0; p < UPLOAD_PURPOSES; p++) {
		struct upload_limit *l = &limits->of[p];

		if (own->file_bytes[p] >= 0)
			l->file_bytes = (uint64_t)own->file_bytes[p];
		if (own->day_bytes[p] >= 0)
			l->day_bytes = (uint64_t)own->day_bytes[p];
		if (own->expire_us[p] >= 0)
			l->expire_us = own->expire_us[p];
	}
	if (own->total_bytes >= 0)
		limits->total_bytes = (uint64_t)own->total_bytes;
	if (own->files >= 0)
		limits->files = (uint64_t)own->files;
}

/* --- what he has ----------------------------------------------------------------------- */

#define USAGE_NUMBERS (3 + UPLOAD_PURPOSES)

static void
usage_numbers(struct upload_usage *u, int64_t **out)
{
	*out++ = (int64_t *)&u->bytes;
	*out++ = (int64_t *)&u->files;
	*out++ = &u->day;
	for (int p = 0; p < UPLOAD_PURPOSES; p++)
		*out++ = (int64_t *)&u->day_bytes[p];
}

void
upload_usage_write(struct buf *out, const struct upload_usage *u)
{
	struct upload_usage copy = *u;
	int64_t *numbers[USAGE_NUMBERS];

	usage_numbers(&copy, numbers);
	numbers_write(out, numbers, USAGE_NUMBERS);
}

bool
upload_usage_read(struct upload_usage *u, struct str text)
{
	int64_t *numbers[USAGE_NUMBERS];

	usage_numbers(u, numbers);
	if (numbers_read(text, 0, numbers, USAGE_NUMBERS))
		return true;
	*u = (struct upload_usage){ .bytes = 0 };
	return false;
}

static int64_t
day_of(int64_t wall_us)
{
	return wall_us / DAY_US;
}

/* A clock that was set back does not give him another day. */
void
upload_usage_today(struct upload_usage *u, int64_t wall_us)
{
	if (day_of(wall_us) <= u->day)
		return;
	u->day = day_of(wall_us);
	for (int p = 0; p < UPLOAD_PURPOSES; p++)
		u->day_bytes[p] = 0;
}

void
upload_usage_more(struct upload_usage *u, uint64_t bytes)
{
	u->bytes += bytes;
	u->files++;
}

void
upload_usage_add(struct upload_usage *u, enum upload_purpose p, uint64_t bytes,
	int64_t wall_us)
{
	upload_usage_today(u, wall_us);
	upload_usage_more(u, bytes);
	u->day_bytes[p] += bytes;
}

void
upload_usage_less(struct upload_usage *u, uint64_t bytes)
{
	u->bytes -= MIN(u->bytes, bytes);
	u->files -= u->files != 0;
}

void
upload_usage_undo(struct upload_usage *u, enum upload_purpose p, uint64_t bytes,
	int64_t wall_us)
{
	upload_usage_today(u, wall_us);
	upload_usage_less(u, bytes);
	u->day_bytes[p] -= MIN(u->day_bytes[p], bytes);
}

/* --- whether one more fits --------------------------------------------------------------- */

uint64_t
upload_max_bytes(const struct upload_limits *limits, enum upload_purpose p)
{
	uint64_t max = MIN(limits->of[p].file_bytes, limits->of[p].day_bytes);

	if (limits->total_bytes != 0)
		max = MIN(max, limits->total_bytes);
	return limits->files != 0 ? max : 0;
}

/* What is only reserved is free again when the first of his slots ends. */
static enum upload_verdict
full_until(bool without_slots, const struct upload_reserved *r, int64_t later_us,
	int64_t *retry_us_out)
{
	*retry_us_out = without_slots ? r->first_us : later_us;
	return later_us != 0 ? UPLOAD_DAY_FULL : UPLOAD_FULL;
}

enum upload_verdict
upload_fits(const struct upload_limits *limits, const struct upload_usage *usage,
	const struct upload_reserved *r, enum upload_purpose p, uint64_t bytes,
	int64_t wall_us, int64_t *retry_us_out)
{
	const struct upload_limit *l = &limits->of[p];
	struct upload_usage u = *usage;
	uint64_t reserved = 0, total = limits->total_bytes;

	*retry_us_out = 0;
	if (bytes > upload_max_bytes(limits, p))
		return UPLOAD_TOO_LARGE;
	upload_usage_today(&u, wall_us);
	for (int i = 0; i < UPLOAD_PURPOSES; i++)
		reserved += r->bytes[i];
	if (u.day_bytes[p] + r->bytes[p] + bytes > l->day_bytes)
		return full_until(u.day_bytes[p] + bytes <= l->day_bytes, r,
			(u.day + 1) * DAY_US, retry_us_out);
	if (u.files + r->files + 1 > limits->files)
		return full_until(u.files + 1 <= limits->files, r, 0,
			retry_us_out);
	if (total != 0 && u.bytes + reserved + bytes > total)
		return full_until(u.bytes + bytes <= total, r, 0,
			retry_us_out);
	return UPLOAD_GRANTED;
}
