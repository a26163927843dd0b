/*
 * offline_write.c - a kept message, as it lies in the store or in the archive, is
 * written to a session.
 *
 * Owner shard of the account.
 */
#include "config.h"

#include "offline.h"

/* Owned; NULL: it cannot be read, and the log says so. */
static struct stanza *
entry_stanza(struct session *s, const struct store_entry *entry)
{
	struct arena *a = NULL;
	struct elem *e =
		stored_read_own(session_shard(s)->xml, entry->value, &a);
	enum stanza_cond cond;
	struct stanza *st =
		e != NULL ? stanza_from_elem(a, e, &cond) : NULL;

	if (st != NULL)
		return st;
	if (log_limit_ok(&session_shard(s)->storage, LOG_STORE))
		log_error(LOG_STORE, session_who(s),
			"a kept message cannot be read, it is dropped id=%.*s",
			STR_ARG(entry->key));
	arena_free(a);
	return NULL;
}

/* What was kept before its sender was blocked goes as if he had been before (XEP-0191
 * §3.3); which of his resources sent it is not kept. */
static bool
is_blocked(const struct session *s, const struct store_entry *entry)
{
	struct str sender = offline_sender(entry);

	return s->account->blocked != NULL && sender.n != 0 &&
		account_blocks(s->account, jid_trusted(sender));
}

/* st is taken, and may be NULL. */
static enum written
write_stanza(struct session *s, struct stanza *st, int64_t number)
{
	enum written w = WRITTEN;

	if (st == NULL)
		return w;
	if (!session_keeps_output(s))
		session_write(s, st);
	else if (session_write_kept(s, st, number))
		w = GIVEN;
	stanza_free(st);
	return w;
}

/* As it was when it came: with our id, and the time. */
static enum written
write_archived(struct session *s, const struct store_entry *archived,
	int64_t number)
{
	struct stanza *st = entry_stanza(s, archived);

	if (st != NULL) {
		stanza_add_id(st, s->account->e.jid, archived->key);
		stanza_add_delay(st, account_domain(s->account),
			archived->wall_us);
	}
	return write_stanza(s, st, number);
}

/* Reading it again took half of the time.  What has been moved here from the archive
 * has no seal, and does not say when it came. */
static enum written
write_kept(struct session *s, const struct store_entry *entry, int64_t number)
{
	struct str seal = { entry->with.p,
		MIN(entry->with.n, STORED_SEAL_SIZE) };
	struct stanza *st;

	if (stored_is_sealed(entry->value, seal) &&
		session_write_stored(s, entry->value))
		return WRITTEN;
	st = entry_stanza(s, entry);
	if (st != NULL && !account_stamped(s->account, st))
		stanza_add_delay(
			st, account_domain(s->account), entry->wall_us);
	return write_stanza(s, st, number);
}

bool
offline_is_archived(const struct store_entry *e)
{
	return e->value.n != 0 && e->value.p[0] != '<';
}

const struct store_entry *
offline_find_archived(const struct store_entry *entry,
	const struct store_answer *found, size_t *next_io)
{
	if (*next_io == found->n ||
		!str_eq(found->entries[*next_io].key, entry->value))
		return NULL;
	return &found->entries[(*next_io)++];
}

bool
offline_was_read(struct session *s, const struct store_entry *entry)
{
	struct session_read r = { .session = s };

	if (s == NULL || !offline_is_archived(entry))
		return false;
	hook_run(account_host(s->account), HOOK_SESSION_READ, &r);
	return store_id_number(entry->value) <= r.number;
}

enum written
offline_write(struct session *s, const struct store_entry *entry,
	int64_t number, const struct store_answer *found, size_t *next_io)
{
	const struct store_entry *archived = NULL;

	if (offline_is_archived(entry))
		archived = offline_find_archived(entry, found, next_io);
	if (is_blocked(s, entry))
		return WRITTEN;
	if (!offline_is_archived(entry))
		return write_kept(s, entry, number);
	if (archived != NULL)
		return write_archived(s, archived, number);
	if (*next_io == found->n && !found->complete)
		return NOT_WRITTEN;
	if (log_limit_ok(&session_shard(s)->storage, LOG_STORE))
		log_warn(LOG_STORE, session_who(s),
			"a kept message is not in the archive any more, it is left out id=%.*s",
			STR_ARG(entry->value));
	return WRITTEN;
}
