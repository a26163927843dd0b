/*
 * quota.c - a table of quotas by name; the table is its first entry.
 */
#include "config.h"

#include "base/quota.h"

#include <string.h>

#include <uthash.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

struct quotas {
	UT_hash_handle hh;
	struct quota quota;
	char name[];
};

void
quota_format(struct buf *out, struct quota quota)
{
	buf_printf(out, "%s%llu %llu", quota.apart ? "*" : "",
		(unsigned long long)quota.n, (unsigned long long)quota.bytes);
}

struct quota
quota_parse(struct str text)
{
	bool apart = str_starts(text, STR("*"));
	struct str n, bytes;
	long long n_read, bytes_read;

	if (apart)
		text = (struct str){ text.p + 1, text.n - 1 };
	if (!str_cut(text, ' ', &n, &bytes) ||
		!str_to_int(n, 1, INT64_MAX, &n_read) ||
		!str_to_int(bytes, 0, INT64_MAX, &bytes_read))
		return (struct quota){ .n = 0 };
	return (struct quota){ (uint64_t)n_read, (uint64_t)bytes_read, apart };
}

bool
quota_fits(struct quota quota, uint64_t n, uint64_t max_bytes, uint64_t bytes)
{
	return quota.n == 0 ||
		(quota.n < n && quota.bytes + bytes <= max_bytes);
}

static struct quotas *
quotas_find(const struct quotas *s, struct str name)
{
	struct quotas *head = (struct quotas *)(uintptr_t)s, *found;

	HASH_FIND(hh, head, name.p, (unsigned)name.n, found);
	return found;
}

struct quota
quotas_get(const struct quotas *s, struct str name)
{
	const struct quotas *found = quotas_find(s, name);

	return found != NULL ? found->quota : (struct quota){ .n = 0 };
}

void
quotas_set(struct quotas **s, struct str name, struct quota quota)
{
	struct quotas *found = quotas_find(*s, name);

	if (quota.n == 0 && found != NULL) {
		HASH_DEL(*s, found);
		free(found);
	} else if (quota.n != 0 && found == NULL) {
		found = xcalloc(1, sizeof(*found) + name.n);
		if (name.n != 0)
			memcpy(found->name, name.p, name.n);
		HASH_ADD_KEYPTR(hh, *s, found->name, (unsigned)name.n, found);
	}
	if (quota.n != 0)
		found->quota = quota;
}

void
quotas_more(struct quotas **s, struct str name, uint64_t bytes, bool apart)
{
	struct quota quota = quotas_get(*s, name);

	quotas_set(s, name,
		(struct quota){ quota.n + 1, quota.bytes + bytes, apart });
}

void
quotas_less(struct quotas **s, struct str name, uint64_t bytes)
{
	struct quota quota = quotas_get(*s, name);

	quota.n -= MIN(quota.n, 1);
	quota.bytes -= MIN(quota.bytes, bytes);
	quotas_set(s, name, quota);
}

struct quota
quotas_apart(const struct quotas *s)
{
	struct quota sum = { .apart = true };

	for (; s != NULL; s = s->hh.next) {
		if (!s->quota.apart)
			continue;
		sum.n += s->quota.n;
		sum.bytes += s->quota.bytes;
	}
	return sum;
}

void
quotas_free(struct quotas **s)
{
	struct quotas *one, *next;

	HASH_ITER (hh, *s, one, next) {
		HASH_DEL(*s, one);
		free(one);
	}
}
