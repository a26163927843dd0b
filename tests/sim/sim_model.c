/*
 * sim_model.c - what a query of an archive is to show.
 */
#include "config.h"

#include "sim_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "core/server.h"
#include "core/shard.h"
#include "core/stored.h"
#include "sim.h"

/* None is in another, nor in what else a message has.  Marks, cases and signs make no
 * difference to who asks, and of a text without blanks he may know a part. */
static const struct {
	const char *said, *asked;
} words[MODEL_WORDS] = {
	{ "Romeo", "romeo" },
	{ "CAF\xc3\x89", "cafe*" },
	{ "stra\xc3\x9f" "e", "\"STRASSE\"" },
	{ "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", "\xe6\x9c\xac\xe8\xaa\x9e" },
	{ "near, wherefore", "NEAR(Wherefore)" },
	{ "\xce\x9b\xcf\x8c\xce\xb3\xce\xbf\xcf\x82",
		"\xce\xbb\xce\xbf\xce\xb3\xce\xbf\xcf\x82" },
};

const char *
model_said(unsigned k)
{
	return words[k].said;
}

const char *
model_asked(unsigned k)
{
	return words[k].asked;
}

/* --- reading it --------------------------------------------------------------------- */

static void
address_copy(char out[MODEL_ADDRESS], struct str value, const char *name)
{
	struct str text = stored_attr(value, name);

	snprintf(out, MODEL_ADDRESS, "%.*s", STR_ARG(text));
}

static void
entry_read(struct model *m, const struct store_entry *e)
{
	struct entry *entry = vec_push(&m->entries);

	*entry = (struct entry){
		.number = store_id_number(e->key),
		.wall_us = e->wall_us,
		.tombstone = memmem(e->value.p, e->value.n, "<retracted", 10) !=
			NULL,
	};
	snprintf(entry->id, sizeof(entry->id), "%.*s", STR_ARG(e->key));
	address_copy(entry->from, e->value, "from");
	address_copy(entry->to, e->value, "to");
	for (unsigned k = 0; k < MODEL_WORDS; k++)
		if (memmem(e->value.p, e->value.n, words[k].said,
			    strlen(words[k].said)) != NULL)
			entry->words |= 1u << k;
}

static void
on_entries(void *arg, const struct store_answer *answer, const struct err *err)
{
	struct model *m = arg;

	if (err != NULL)
		sim_fail(m->sim, "the archive cannot be read: %s", err->text);
	for (size_t i = 0; err == NULL && i < answer->n; i++)
		entry_read(m, &answer->entries[i]);
}

void
model_look(struct model *m)
{
	const struct server *srv = m->sim->w->server;
	size_t n = m->entries.n;
	struct store_range rest = {
		.max = UINT32_MAX,
		.after_id = n != 0 ? str_c(m->entries.p[n - 1].id) : STR_NONE,
	};

	store_range(srv->store,
		(struct store_place){ STR(WORLD_HOST),
			str_c(m->sim->clients[m->user][0].c.local),
			STR("archive") },
		&rest, &srv->shards[0]->mailbox, on_entries, m);
	world_settle(m->sim->w);
}

void
model_look_anew(struct model *m)
{
	m->entries.n = 0;
	model_look(m);
}

void
model_done(struct model *m)
{
	vec_done(&m->entries);
}

/* --- what is in the set --------------------------------------------------------------- */

static bool
is_bare_of(const char *bare, const char *full)
{
	size_t n = strlen(bare);

	return strncmp(bare, full, n) == 0 &&
		(full[n] == '\0' || full[n] == '/');
}

/* XEP-0313 §4.1.1: with the other side; but a full address is either's. */
static bool
is_with(const struct model *m, const struct entry *e, const char *with)
{
	const char *local = m->sim->clients[m->user][0].c.local;
	bool sent = strncmp(e->from, local, strlen(local)) == 0;

	if (strchr(with, '/') != NULL)
		return strcmp(e->from, with) == 0 || strcmp(e->to, with) == 0;
	return is_bare_of(with, sent ? e->to : e->from);
}

static bool
is_named(const struct asked *q, size_t at)
{
	for (unsigned i = 0; i < q->n_ids; i++)
		if (q->ids[i] == at)
			return true;
	return !q->by_ids;
}

bool
model_has(const struct model *m, const struct asked *q, size_t at)
{
	const struct entry *e = &m->entries.p[at];

	return (q->with[0] == '\0' || is_with(m, e, q->with)) &&
		(q->since_us == 0 || e->wall_us >= q->since_us) &&
		(q->until_us == 0 || e->wall_us <= q->until_us) &&
		(q->after == 0 || e->number > q->after) &&
		(q->before == 0 || e->number < q->before) &&
		(e->words & q->words) == q->words && is_named(q, at);
}
