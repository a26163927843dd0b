/*
 * offline_flight.c - what sessions that count were given, and have yet to
 * acknowledge (XEP-0198): it stays in the store until they have.
 *
 * Owner shard of the account.
 *
 *   read --> given, in the queue of the session --acknowledged--> gone --> deleted
 *               |                                                   |
 *               '--the session ends--> free, read again     stuck <-'
 *
 * Which entries are in flight, the queues of the sessions say, also behind a
 * restart; what is here says of whom they are, so that his share is free again.
 * After a restart nobody knows that, until the log is empty.
 *
 * The log gives the number of its last entry anew once that is deleted.  So nothing
 * is read while something is being deleted, and an entry that is deleted while a
 * read is under way is remembered until that has come.
 */
#include "config.h"

#include "offline.h"

#include <stdio.h>

/* A transaction that deletes. */
struct deletion {
	struct entity_ref account;
	struct module_entry *entry;
};

/* --- what is in flight --------------------------------------------------------- */

static struct flight *
flight_get(struct backlog *b)
{
	if (b->flight == NULL)
		b->flight = xcalloc(1, sizeof(*b->flight));
	return b->flight;
}

size_t
offline_in_flight(const struct account *acc)
{
	size_t n = 0;

	for (const struct session *s = acc->sessions; s != NULL; s = s->next)
		n += session_kept(s);
	return n;
}

bool
offline_look(struct account *acc, const struct backlog *b)
{
	acc->backlog = b->n != 0 && b->n > offline_in_flight(acc);
	return acc->backlog;
}

void
offline_give(struct backlog *b, uint32_t session,
	const struct store_entry *entry, int64_t number)
{
	struct str sender = offline_sender(entry);

	*vec_push(&flight_get(b)->given) = (struct given){
		.number = number,
		.session = session,
		.bytes = entry->value.n,
		.sender = sender.n != 0 ? str_dup(sender) : NULL,
	};
}

static int
number_cmp(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static struct int64_list
numbers_in_flight(const struct account *acc)
{
	struct int64_list l = { .n = 0 };

	l.room = (uint32_t)offline_in_flight(acc);
	if (l.room == 0)
		return l;
	l.p = xmalloc(l.room * sizeof(l.p[0]));
	for (const struct session *s = acc->sessions; s != NULL; s = s->next) {
		session_kept_numbers(s, l.p + l.n);
		l.n += (uint32_t)session_kept(s);
	}
	return l;
}

struct int64_list
offline_not_again(const struct account *acc, const struct backlog *b)
{
	struct int64_list l = numbers_in_flight(acc);

	for (size_t i = 0; b->flight != NULL && i < b->flight->gone.n; i++)
		*vec_push(&l) = b->flight->gone.p[i].number;
	if (l.n != 0)
		qsort(l.p, l.n, sizeof(l.p[0]), number_cmp);
	return l;
}

bool
int64_list_has(const struct int64_list *l, int64_t number)
{
	return l->n != 0 &&
		bsearch(&number, l->p, l->n, sizeof(l->p[0]), number_cmp) !=
			NULL;
}

/* Its entries are free. */
void
offline_session_ends(struct backlog *b, const struct session *s)
{
	struct flight *f = b->flight;
	size_t n = 0;

	b->read = 0;
	for (size_t i = 0; f != NULL && i < f->given.n; i++) {
		if (f->given.p[i].session == s->id)
			free(f->given.p[i].sender);
		else
			f->given.p[n++] = f->given.p[i];
	}
	if (f != NULL)
		f->given.n = (uint32_t)n;
	offline_flood_again(b);
}

/* --- what is over ---------------------------------------------------------------- */

static bool
has_gone(const struct flight *f, int state)
{
	size_t i = 0;

	while (f != NULL && i < f->gone.n && (int)f->gone.p[i].state != state)
		i++;
	return f != NULL && i < f->gone.n;
}

bool
offline_is_deleting(const struct backlog *b)
{
	return has_gone(b->flight, GONE_ASKED);
}

bool
offline_has_stuck(const struct backlog *b)
{
	return has_gone(b->flight, GONE_STUCK);
}

/* Behind an entry that is not there any more nothing is found: neither by the next
 * read, nor by one that is under way. */
static void
read_from_start(struct backlog *b, int64_t gone)
{
	if (b->read != gone)
		return;
	b->read = 0;
	offline_flood_again(b);
}

void
offline_forget_gone(struct backlog *b)
{
	struct flight *f = b->flight;
	size_t n = 0;

	for (size_t i = 0; f != NULL && i < f->gone.n; i++) {
		if (f->gone.p[i].state != GONE_DELETED)
			f->gone.p[n++] = f->gone.p[i];
		else
			read_from_start(b, f->gone.p[i].number);
	}
	if (f != NULL)
		f->gone.n = (uint32_t)n;
}

void
offline_log_undeleted(const struct account *acc, const struct err *err)
{
	struct str whose = acc != NULL ? jid_str(acc->e.jid) : STR("");

	log_error(LOG_STORE, LOG_NOBODY,
		"delivered messages cannot be deleted, they will come again account=%.*s reason=\"%s\"",
		STR_ARG(whose), err->text);
}

static void
on_deleted(void *arg, bool ok, const struct err *err)
{
	struct deletion *d = arg;
	struct account *acc = account_if(entity_ref_end(&d->account));
	struct host *host = acc != NULL ? account_host(acc) : NULL;
	struct module_ctx *m =
		host != NULL ? module_at_host(host, d->entry) : NULL;
	struct backlog *b = m != NULL ? module_entity_state(m, &acc->e) : NULL;
	struct flight *f = b != NULL ? b->flight : NULL;

	if (!ok && err->code != ERR_DISK)
		offline_log_undeleted(acc, err);
	/* when the account was read anew meanwhile, it is none of these */
	for (size_t i = 0; f != NULL && i < f->gone.n; i++) {
		struct gone *g = &f->gone.p[i];

		if (g->deletion != d)
			continue;
		g->state = ok ? GONE_DELETED : GONE_STUCK;
		if (ok)
			read_from_start(b, g->number);
	}
	free(d);
	if (f == NULL || offline_is_deleting(b))
		return;
	if (!offline_flood_is_reading(b))
		offline_forget_gone(b);
	offline_flood_deleted(m, acc);
}

/* Who has sent it has its share back; NULL: nobody knows who has. */
static void
give_back_share(struct backlog *b, int64_t number, struct store_tx *tx,
	struct account *acc)
{
	struct flight *f = b->flight;
	struct given g;
	size_t i = 0;

	while (i < f->given.n && f->given.p[i].number != number)
		i++;
	if (i == f->given.n) {
		backlog_less(b, STR_NONE, 0);
		return;
	}
	g = f->given.p[i];
	memmove(&f->given.p[i], &f->given.p[i + 1],
		(f->given.n - i - 1) * sizeof(g));
	f->given.n--;
	backlog_less(b, g.sender != NULL ? str_c(g.sender) : STR_NONE, g.bytes);
	if (g.sender != NULL)
		offline_share_write(tx, acc, b, str_c(g.sender));
	free(g.sender);
}

/* Are all up to the last over? */
static bool
is_up_to(const struct account *acc, const struct backlog *b, int64_t last)
{
	struct int64_list l;
	bool before = false;

	if (b->read < last)
		return false;
	l = numbers_in_flight(acc);
	for (size_t i = 0; i < l.n; i++)
		before |= l.p[i] <= last;
	vec_done(&l);
	return !before;
}

static struct str
number_str(int64_t number, char out[24])
{
	snprintf(out, 24, "%lld", (long long)number);
	return str_c(out);
}

/* Which they are, and that they go. */
static void
write_deletion(struct store_tx *tx, const struct account *acc,
	struct backlog *b, const int64_t *numbers, size_t n)
{
	struct store_place log = account_place(acc, LOG_OFFLINE);
	int64_t last = 0;
	char text[24];
	bool trim;

	for (size_t i = 0; i < n; i++)
		last = MAX(last, numbers[i]);
	trim = is_up_to(acc, b, last);
	if (trim)
		store_tx_trim_to(tx, log, number_str(last, text));
	for (size_t i = 0; i < n && !trim; i++)
		store_tx_delete_entry(tx, log, number_str(numbers[i], text));
	for (size_t i = 0; i < n; i++)
		read_from_start(b, numbers[i]);
}

void
offline_over(struct module_ctx *m, struct account *acc, const int64_t *numbers,
	size_t n)
{
	struct backlog *b = module_entity_state(m, &acc->e);
	struct flight *f = flight_get(b);
	struct store_tx *tx = store_tx_new();
	struct deletion *d = xcalloc(1, sizeof(*d));

	d->entry = m->entry;
	entity_ref(&d->account, &acc->e);
	for (size_t i = 0; i < n; i++) {
		*vec_push(&f->gone) = (struct gone){ numbers[i], d, GONE_ASKED };
		give_back_share(b, numbers[i], tx, acc);
	}
	write_deletion(tx, acc, b, numbers, n);
	if (b->n == 0) {
		backlog_is_empty(b);
		store_tx_clear(tx, account_place(acc, MAP_SHARES));
	}
	store_tx_insist(tx); /* the client has them */
	module_commit(m, acc->e.shard, tx, on_deleted, d);
	offline_look(acc, b);
}

void
offline_flight_free(struct backlog *b)
{
	struct flight *f = b->flight;

	if (f == NULL)
		return;
	for (size_t i = 0; i < f->given.n; i++)
		free(f->given.p[i].sender);
	vec_done(&f->given);
	vec_done(&f->gone);
	free(f);
	b->flight = NULL;
}
