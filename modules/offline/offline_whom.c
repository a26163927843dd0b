/*
 * offline_whom.c - of whom a kept message is, and for whom.
 *
 * Owner shard of the account.  What stands behind what is kept was sent while one
 * session took messages, and that one has to get it, as if it were in its queue
 * already, whoever is given what comes before: as long as it lives.  Sessions keep
 * their ids over a restart.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "offline.h"

/* What is behind the seal: a bare address, which has no '/', and perhaps one and
 * an id; nothing in entries of an earlier version. */
static struct str
entry_names(const struct store_entry *entry)
{
	size_t n = MIN(entry->with.n, STORED_SEAL_SIZE);

	return (struct str){ entry->with.p + n, entry->with.n - n };
}

struct str
offline_sender(const struct store_entry *entry)
{
	struct str names = entry_names(entry);
	const char *end =
		names.n != 0 ? memchr(names.p, '/', names.n) : NULL;

	return end != NULL ? (struct str){ names.p, (size_t)(end - names.p) } :
			     names;
}

void
offline_whom_write(const struct account *acc, struct buf *with)
{
	const struct session *s = acc->sessions;

	while (s != NULL && !session_takes_messages(s))
		s = s->next;
	if (s != NULL)
		buf_printf(with, "/%" PRIu32, s->id);
}

struct session *
offline_whom(const struct account *acc, const struct store_entry *entry)
{
	size_t n = offline_sender(entry).n;
	struct str id = entry_names(entry);
	struct session *s = acc->sessions;
	long long number;

	if (n == id.n)
		return NULL;
	id = (struct str){ id.p + n + 1, id.n - n - 1 };
	if (!str_to_int(id, 0, UINT32_MAX, &number))
		return NULL;
	while (s != NULL && s->id != (uint32_t)number)
		s = s->next;
	return s != NULL && s->state != SESSION_ENDING &&
			session_takes_messages(s) ?
		s :
		NULL;
}
