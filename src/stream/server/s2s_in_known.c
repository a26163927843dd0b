/*
 * s2s_in_known.c - the streams of a shard that other servers have opened, and why
 * some of those were not let in.
 *
 *	any shard                         the shard of the domain
 *
 *	s2s_in_refuse() ----------------> kept; told, if it is news
 *	s2s_in_came() ------------------> the next one is news again
 *
 * Domains are what strangers have said.  So what is kept has bounds: in all, for a
 * domain, and for an address, and each has only its own oldest ones to lose as long
 * as that is possible.
 */
#include "config.h"

#include "stream/server/s2s_known.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/conn.h"
#include "core/place.h"

#define NAME_MAX_KEPT 255
#define WHY_SIZE 640

const char *const s2s_proof_names[] = {
	[S2S_EXTERNAL] = "EXTERNAL",
	[S2S_DANE] = "dane",
	[S2S_DIALBACK] = "dialback",
};

/* --- of a shard ------------------------------------------------------------------ */

static void
refusal_done(struct s2s_refusal *r)
{
	free(r->local);
	free(r->remote);
	free(r->peer);
	free(r->why);
}

static void
known_free(void *arg)
{
	struct s2s_known *k = arg;

	assert(LIST_EMPTY(&k->streams));
	s2s_in_sleepers_free(k);
	for (size_t i = 0; i < k->n_refusals; i++)
		refusal_done(&k->refusals[i]);
	free(k->refusals);
	free(k);
}

static struct s2s_known *
known_get(struct shard *sh)
{
	struct stream_shard *ss = stream_shard(sh);

	if (ss->servers == NULL) {
		struct s2s_known *k = xcalloc(1, sizeof(*k));

		TAILQ_INIT(&k->asleep);
		ss->servers = k;
		ss->servers_free = known_free;
	}
	return ss->servers;
}

struct s2s_known *
s2s_known(struct shard *sh)
{
	const struct stream_shard *ss = sh->streams;

	return ss != NULL ? ss->servers : NULL;
}

void
s2s_in_enter(struct s2s_in *c)
{
	struct s2s_known *k = known_get(c->x.shard);

	LIST_INSERT_HEAD(&k->streams, c, near);
	c->near_is_set = true;
	c->serial = ++k->last_serial;
}

void
s2s_in_leave(struct s2s_in *c)
{
	if (c->near_is_set)
		LIST_REMOVE(c, near);
	c->near_is_set = false;
}

/* --- what is kept of failures ------------------------------------------------------ */

static struct str
refusal_key(const struct s2s_refusal *r)
{
	return (struct str){ (const char *)r->key, r->n_key };
}

static bool
refusal_is_of_address(const struct s2s_refusal *r, const struct s2s_refusal *as)
{
	return str_eq(refusal_key(r), refusal_key(as));
}

static bool
refusal_is_same(const struct s2s_refusal *r, const struct s2s_refusal *as)
{
	return strcmp(r->remote, as->remote) == 0 &&
		strcmp(r->local, as->local) == 0 && strcmp(r->why, as->why) == 0;
}

/* The place of the one that goes for r. */
static size_t
known_victim(const struct s2s_known *k, const struct s2s_refusal *r)
{
	size_t domain = 0, n_domain = 0, address = 0, n_address = 0;

	for (size_t i = 0; i < k->n_refusals; i++) {
		const struct s2s_refusal *old = &k->refusals[i];

		if (strcmp(old->remote, r->remote) == 0) {
			domain = i;
			n_domain++;
		}
		if (refusal_is_of_address(old, r)) {
			address = i;
			n_address++;
		}
	}
	if (n_domain >= S2S_REFUSALS_OF_DOMAIN)
		return domain;
	if (n_address >= S2S_REFUSALS_OF_ADDRESS)
		return address;
	return MIN(k->n_refusals, S2S_REFUSALS_MAX - 1);
}

/* r (taken) becomes the first, in the place of the one at index, if there is any. */
static void
known_push(struct s2s_known *k, size_t index, const struct s2s_refusal *r)
{
	struct s2s_refusal *all = k->refusals;

	if (index < k->n_refusals)
		refusal_done(&all[index]);
	else
		k->n_refusals++;
	memmove(all + 1, all, index * sizeof(*all));
	all[0] = *r;
}

static void
refusal_tell(const struct s2s_refusal *r, struct log_limit *limit)
{
	if (log_limit_ok(limit, LOG_AUTH))
		log_warn(LOG_AUTH, LOG_NOBODY,
			"server refused domain=%s to=%s peer=%s reason=\"%s\"",
			r->remote, r->local, r->peer, r->why);
}

static void
on_refused(struct shard *sh, void *arg)
{
	struct s2s_refusal *r = arg;
	struct s2s_known *k;
	size_t i;

	if (sh->streams_closed) {
		refusal_done(r);
		free(r);
		return;
	}
	k = known_get(sh);
	if (k->refusals == NULL)
		k->refusals = xcalloc(S2S_REFUSALS_MAX, sizeof(*k->refusals));
	for (i = 0; i < k->n_refusals; i++)
		if (refusal_is_same(&k->refusals[i], r))
			break;
	if (i < k->n_refusals) {
		r->first_us = k->refusals[i].first_us;
		r->times += k->refusals[i].times;
		r->told = k->refusals[i].told;
	} else {
		i = known_victim(k, r);
	}
	if (!r->told)
		refusal_tell(r, &stream_shard(sh)->refused);
	r->told = true;
	known_push(k, i, r);
	free(r);
}

static char *
name_keep(struct str name)
{
	name.n = MIN(name.n, NAME_MAX_KEPT);
	return str_dup(name);
}

void
s2s_in_refuse(const struct s2s_in *c, struct str local, struct str remote,
	const char *fmt, ...)
{
	const struct server *srv = c->x.shard->server;
	struct str key = conn_peer_key(c->x.conn);
	struct s2s_refusal *r = xcalloc(1, sizeof(*r));
	char why[WHY_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	r->first_us = r->last_us = shard_wall_us(c->x.shard);
	r->times = 1;
	r->n_key = (uint8_t)MIN(key.n, sizeof(r->key));
	if (r->n_key != 0)
		memcpy(r->key, key.p, r->n_key);
	r->local = name_keep(local);
	r->remote = name_keep(remote);
	r->peer = xstrdup(conn_peer(c->x.conn));
	r->why = xstrdup(why);
	place_post(srv, server_place_of(srv, remote), on_refused, r,
		sizeof(*r) + WHY_SIZE);
}

static void
on_came(struct shard *sh, void *arg)
{
	char *remote = arg;
	struct s2s_known *k = s2s_known(sh);

	for (size_t i = 0; k != NULL && i < k->n_refusals; i++)
		if (strcmp(k->refusals[i].remote, remote) == 0)
			k->refusals[i].told = false;
	free(remote);
}

void
s2s_in_came(struct shard *sh, struct str remote)
{
	place_post(sh->server, server_place_of(sh->server, remote), on_came,
		name_keep(remote), remote.n);
}
