/*
 * address_set.c - two tables: one of addresses, one of those who have them.
 *
 * Invariant: an owner is there as long as one of his addresses is.  So a crowd
 * of resources of one account is one entry among the owners, and does not make
 * the search for others long.
 */
#include "config.h"

#include "core/address_set.h"

#include <stdlib.h>

#include "base/mem.h"
#include "core/server.h"

/* Of a bare address. */
struct address_owner {
	uint64_t hash;
	size_t n; /* addresses */
	size_t len;
	char text[];
};

struct address *
address_set_find(const struct address_set *set, const struct server *srv,
	struct jid jid)
{
	uint64_t hash = server_hash(srv, jid_str(jid));
	size_t at = table_start(&set->all, hash);
	struct address *a;

	while ((a = table_next(&set->all, hash, &at)) != NULL) {
		if (jid_eq(a->jid, jid))
			break;
	}
	return a;
}

static struct address_owner *
owner_find(const struct address_set *set, struct str bare, uint64_t hash)
{
	size_t at = table_start(&set->owners, hash);
	struct address_owner *o;

	while ((o = table_next(&set->owners, hash, &at)) != NULL) {
		if (str_eq((struct str){ o->text, o->len }, bare))
			break;
	}
	return o;
}

bool
address_set_has_bare(const struct address_set *set, const struct server *srv,
	struct jid jid)
{
	struct str bare = jid_bare_str(jid);

	return set->owners.n != 0 &&
		owner_find(set, bare, server_hash(srv, bare)) != NULL;
}

static struct address_owner *
owner_get(struct address_set *set, const struct server *srv, struct str bare)
{
	uint64_t hash = server_hash(srv, bare);
	struct address_owner *o = owner_find(set, bare, hash);

	if (o != NULL)
		return o;
	o = xmalloc(sizeof(*o) + bare.n);
	*o = (struct address_owner){ .hash = hash, .len = bare.n };
	memcpy(o->text, bare.p, bare.n);
	table_add(&set->owners, hash, o);
	return o;
}

void
address_set_add(struct address_set *set, const struct server *srv,
	struct jid jid)
{
	struct address *a = xmalloc(sizeof(*a) + jid.len);

	a->jid = jid;
	a->marked = false;
	a->jid.text = memcpy(a->text, jid.text, jid.len);
	a->hash = server_hash(srv, jid_str(jid));
	a->owner = owner_get(set, srv, jid_bare_str(jid));
	a->owner->n++;
	table_add(&set->all, a->hash, a);
}

static void
address_free(struct address_set *set, struct address *a)
{
	struct address_owner *o = a->owner;

	if (--o->n == 0) {
		table_remove(&set->owners, o->hash, o);
		free(o);
	}
	free(a);
}

void
address_set_remove(struct address_set *set, struct address *a)
{
	table_remove(&set->all, a->hash, a);
	address_free(set, a);
}

void
address_set_clear(struct address_set *set)
{
	struct table_walk walk = table_walk(&set->all);
	struct address *a;

	while ((a = table_step(&set->all, &walk)) != NULL)
		address_free(set, a);
	table_done(&set->all);
	table_done(&set->owners);
}
