/*
 * listen.c - ports: bound, handed to the shards, adopted by the next snapshot.
 *
 * Binding is for the start, and for shard 0; a door is its shard's.  Invariant:
 * a shard has a door for each open port of its snapshot once it has started, and
 * for no other.
 */
#include "config.h"

#include "core/listen.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "net/conn.h"
#include "net/listener.h"
#include "net/net.h"
#include "conf/conf.h"
#include "core/host.h"
#include "core/listen_int.h"
#include "core/module_ctx.h"
#include "core/shard.h"

/* --- kinds ------------------------------------------------------------------ */

const struct listen_row *
listen_row(const struct snapshot *snap, const char *kind)
{
	for (size_t i = 0; i < snap->kinds.n; i++)
		if (strcmp(snap->kinds.p[i].kind->name, kind) == 0)
			return &snap->kinds.p[i];
	return NULL;
}

struct module_ctx *
listen_module(const struct shard *sh, const char *kind)
{
	const struct listen_row *row = listen_row(sh->snap, kind);

	return row != NULL ? row->m : NULL;
}

bool
listen_add_kinds(struct snapshot *snap, const struct listen_kind *kinds,
	struct module_ctx *m, struct err *err)
{
	for (; kinds != NULL && kinds->name != NULL; kinds++) {
		const struct listen_row *row = listen_row(snap, kinds->name);

		if (row == NULL)
			*vec_push(&snap->kinds) =
				(struct listen_row){ kinds, m };
		else if (m == NULL || row->m == NULL ||
			row->m->entry != m->entry)
			return err_set(err, ERR_CONFLICT,
				"there is another kind of ports called \"%s\"",
				kinds->name);
	}
	return true;
}

/* --- ports ------------------------------------------------------------------ */

struct listen_port *
listen_port_ref(struct listen_port *p)
{
	atomic_fetch_add(&p->refs, 1);
	return p;
}

void
listen_port_unref(struct listen_port *p)
{
	if (p == NULL || atomic_fetch_sub(&p->refs, 1) != 1)
		return;
	for (unsigned i = 0; i < p->n; i++)
		if (p->fds[i] != -1)
			close(p->fds[i]);
	free(p->address);
	free(p->why);
	free(p);
}

/* One that could not be bound has why, and no socket. */
static struct listen_port *
port_new(const struct server *srv, const struct config_listen *l,
	struct err *err)
{
	unsigned n = srv->n_sockets;
	struct listen_port *p = xcalloc(1, sizeof(*p) + n * sizeof(p->fds[0]));

	atomic_init(&p->refs, 1);
	p->address = xstrdup(l->address);
	p->port = (uint16_t)l->port;
	if (listener_bind(l->address, p->port, (int)l->backlog, p->fds, n,
		    &p->bound, err)) {
		p->n = n;
		log_info(LOG_NET, LOG_NOBODY,
			"listening kind=%s address=%s port=%u tls=%s", l->kind,
			l->address, (unsigned)p->bound,
			config_listen_tls[l->tls]);
	} else {
		p->why = xstrdup(err->text);
	}
	return p;
}

/* Nobody has asked for that port by name, so the rest works without it. */
static void
port_warn(const struct config_listen *l, const struct listen_port *p)
{
	log_warn(LOG_NET, LOG_NOBODY,
		"a port that nobody has named stays shut: free it and reload, or name all ports in `listen', without it or with another one kind=%s address=%s port=%u reason=\"%s\"",
		l->kind, l->address, (unsigned)l->port, p->why);
}

static struct listen_port *
port_shut(const struct config_listen *l, const char *why, bool tell)
{
	struct listen_port *p = xcalloc(1, sizeof(*p));

	atomic_init(&p->refs, 1);
	p->address = xstrdup(l->address);
	p->port = (uint16_t)l->port;
	p->why = xstrdup(why);
	if (tell)
		log_info(LOG_NET, LOG_NOBODY,
			"a port is not opened kind=%s address=%s port=%u tls=%s reason=\"%s\"",
			l->kind, l->address, (unsigned)l->port,
			config_listen_tls[l->tls], why);
	return p;
}

/* NULL: there is no reason not to open it: one of its kinds has none. */
static const char *
port_hindrance(const struct snapshot *snap, const struct config_listen *l)
{
	const char *why = NULL;

	for (size_t i = l->kinds.n; i-- > 0;) {
		why = listen_hindrance(snap, l->kinds.items[i]);
		if (why == NULL)
			return NULL;
	}
	return why;
}

/* Of a port that is open, what is not, and (before may be NULL) was. */
static void
port_report(const struct snapshot *snap, const struct snapshot *before,
	const struct config_listen *l)
{
	for (size_t i = 0; i < l->kinds.n; i++) {
		const char *kind = l->kinds.items[i];
		const char *why = listen_hindrance(snap, kind);

		if (why != NULL && (before == NULL ||
			    listen_hindrance(before, kind) == NULL))
			log_info(LOG_NET, LOG_NOBODY,
				"a port is closed to some kind=%s without=%s address=%s port=%u reason=\"%s\"",
				l->kind, kind, l->address, (unsigned)l->port,
				why);
	}
}

void
listen_forget(struct snapshot *snap)
{
	size_t n = snap->ports != NULL ? snap->config->n_listen : 0;

	for (size_t i = 0; i < n; i++)
		listen_port_unref(snap->ports[i]);
	free(snap->ports);
	snap->ports = NULL;
	vec_done(&snap->kinds);
}

bool
listen_open(struct server *srv, struct err *err)
{
	struct snapshot *snap = srv->newest;
	size_t n = snap->config->n_listen;
	bool ok = true;

	snap->ports = xcalloc(n, sizeof(snap->ports[0]));
	for (size_t i = 0; i < n && ok; i++) {
		const struct config_listen *l = &snap->config->listen[i];
		const char *why = port_hindrance(snap, l);

		snap->ports[i] =
			why != NULL ? port_shut(l, why, true) :
				      port_new(srv, l, err);
		ok = why != NULL || snap->ports[i]->why == NULL || l->unasked;
		if (why == NULL && snap->ports[i]->why != NULL && l->unasked)
			port_warn(l, snap->ports[i]);
		else if (why == NULL)
			port_report(snap, NULL, l);
	}
	return ok;
}

static bool
port_is_in(const struct snapshot *snap, const struct listen_port *p)
{
	for (size_t i = 0; i < snap->config->n_listen; i++)
		if (snap->ports[i] == p)
			return true;
	return false;
}

/* The port of before that l is, or (other) one at another address; not one that
 * next has already, for an address may have several that the system has chosen. */
static struct listen_port *
port_find(const struct snapshot *before, const struct config_listen *l,
	const struct snapshot *next, bool other)
{
	for (size_t i = 0; i < before->config->n_listen; i++) {
		struct listen_port *p = before->ports[i];

		if (p->why == NULL && p->port == l->port &&
			(other || strcmp(p->address, l->address) == 0) &&
			!port_is_in(next, p))
			return listen_port_ref(p);
	}
	return NULL;
}

static bool
port_was_shut(const struct snapshot *before, const struct config_listen *l)
{
	for (size_t i = 0; i < before->config->n_listen; i++) {
		const struct listen_port *p = before->ports[i];

		if (p->why != NULL && p->port == l->port &&
			strcmp(p->address, l->address) == 0)
			return true;
	}
	return false;
}

/* What cannot be opened does not shut what was open at another address of the
 * machine: often it is in the way itself. */
static struct listen_port *
port_open(const struct snapshot *next, const struct snapshot *before,
	const struct config_listen *l, struct buf *out)
{
	struct err err = ERR_INIT;
	struct listen_port *p = port_new(next->server, l, &err);
	struct listen_port *old;

	if (p->why == NULL)
		return p;
	old = port_find(before, l, next, true);
	if (old != NULL) {
		listen_port_unref(p);
		p = old;
		err_prefix(&err, "it stays at %s", p->address);
	}
	if (p->why != NULL && l->unasked) {
		if (!port_was_shut(before, l))
			port_warn(l, p);
		return p;
	}
	log_error(LOG_NET, LOG_NOBODY,
		"a port %s until the next start kind=%s reason=\"%s\"",
		old != NULL ? "stays as it was" : "stays shut", l->kind,
		err.text);
	if (out != NULL)
		buf_printf(out,
			"listen: address %s and port %u take effect with the next start: %s\n",
			l->address, (unsigned)l->port, err.text);
	return p;
}

void
listen_adopt(struct snapshot *next, const struct snapshot *before,
	struct buf *out)
{
	const struct config_listen *l = next->config->listen;
	size_t n = next->config->n_listen;

	if (before->ports == NULL)
		return;
	next->ports = xcalloc(n, sizeof(next->ports[0]));
	for (size_t i = 0; i < n; i++) {
		const char *why = port_hindrance(next, &l[i]);

		next->ports[i] = why != NULL ?
			port_shut(&l[i], why, !port_was_shut(before, &l[i])) :
			port_find(before, &l[i], next, false);
	}
	for (size_t i = 0; i < n; i++) {
		if (next->ports[i] == NULL)
			next->ports[i] = port_open(next, before, &l[i], out);
		if (next->ports[i]->why == NULL)
			port_report(next, before, &l[i]);
	}
}

/* --- doors ------------------------------------------------------------------ */

struct listen_shard *
listen_shard(struct shard *sh)
{
	struct listen_shard *ls = sh->listen;

	if (ls == NULL) {
		ls = xcalloc(1, sizeof(*ls));
		TAILQ_INIT(&ls->doors);
		TAILQ_INIT(&ls->guests);
		TAILQ_INIT(&ls->proxied);
		sh->listen = ls;
	}
	return ls;
}

const struct config_listen *
listen_entry(const struct shard *sh, const struct listen_port *p)
{
	const struct snapshot *snap = sh->snap;

	for (size_t i = 0; snap->ports != NULL && i < snap->config->n_listen; i++)
		if (snap->ports[i] == p)
			return &snap->config->listen[i];
	return NULL;
}

void
listen_give(struct shard *sh, const struct listen_row *row,
	const struct listen_arrival *a)
{
	if (row->kind->accept_raw != NULL)
		row->kind->accept_raw(sh, a);
	else
		guest_new(sh, row, a);
}

/* Are there kinds that the modules of the snapshot bring, or the house? */
static bool
is_anybody_there(const struct snapshot *snap, const struct config_listen *at)
{
	for (size_t i = 0; i < at->kinds.n; i++)
		if (listen_row(snap, at->kinds.items[i]) != NULL)
			return true;
	return false;
}

void
listen_arrive(struct shard *sh, const struct listen_arrival *a)
{
	if (!is_anybody_there(sh->snap, a->at))
		conn_abort(a->conn);
	else if (a->at->kinds.n > 1)
		sh->server->newcomer(sh, a);
	else
		listen_give(sh, listen_row(sh->snap, a->at->kind), a);
}

static void
on_door_accept(void *arg, int fd, const struct sockaddr *peer,
	unsigned peer_len)
{
	struct door *d = arg;
	struct shard *sh = d->shard;
	const struct config_listen *at = listen_entry(sh, d->port);
	struct listen_arrival a = {
		.conn = conn_new_tcp(sh->net, fd, peer, peer_len),
		.at = at,
		.port = d->port,
	};

	sh->now_us = clock_mono_us(sh->server->clock);
	a.since_us = sh->now_us;
	if (at->proxy_protocol)
		proxied_new(sh, &a);
	else
		listen_arrive(sh, &a);
}

static void
door_shut(struct listen_shard *ls, struct door *d)
{
	TAILQ_REMOVE(&ls->doors, d, link);
	listener_stop(d->listener);
	listen_port_unref(d->port);
	free(d);
}

/* As the snapshot has it; also with another backlog. */
static void
door_set(struct door *d, const struct config_listen *at)
{
	struct err err = ERR_INIT;

	if (!is_anybody_there(d->shard->snap, at))
		listener_pause(d->listener);
	else if (!listener_resume(d->listener, (int)at->backlog, &err))
		log_error(LOG_NET, LOG_NOBODY,
			"a port stays shut kind=%s address=%s port=%u reason=\"%s\"",
			at->kind, at->address, (unsigned)d->port->bound,
			err.text);
}

static void
door_new(struct shard *sh, struct listen_port *p)
{
	struct listen_shard *ls = listen_shard(sh);
	struct door *d = xcalloc(1, sizeof(*d));

	d->shard = sh;
	d->port = listen_port_ref(p);
	d->listener = listener_start(sh->net, p->fds[sh->index],
		on_door_accept, d);
	p->fds[sh->index] = -1;
	TAILQ_INSERT_TAIL(&ls->doors, d, link);
}

static bool
door_exists(const struct listen_shard *ls, const struct listen_port *p)
{
	const struct door *d;

	TAILQ_FOREACH (d, &ls->doors, link)
		if (d->port == p)
			return true;
	return false;
}

void
listen_follow(struct shard *sh)
{
	struct listen_shard *ls = listen_shard(sh);
	const struct snapshot *snap = sh->snap;
	struct door *d, *next;

	net_bound(sh->net, (size_t)snap->config->limits.write_queue_max_bytes);
	guests_close(sh, false);
	if (!ls->started || snap->ports == NULL)
		return;
	for (size_t i = 0; i < snap->config->n_listen; i++)
		if (snap->ports[i]->why == NULL &&
			!door_exists(ls, snap->ports[i]))
			door_new(sh, snap->ports[i]);
	for (d = TAILQ_FIRST(&ls->doors); d != NULL; d = next) {
		const struct config_listen *at = listen_entry(sh, d->port);

		next = TAILQ_NEXT(d, link);
		if (at == NULL)
			door_shut(ls, d);
		else
			door_set(d, at);
	}
}

static void
on_listen_start(struct shard *sh, void *arg)
{
	(void)arg;
	listen_shard(sh)->started = true;
	listen_follow(sh);
}

void
listen_start(struct server *srv)
{
	for (unsigned i = 0; i < srv->n_shards; i++)
		shard_post(srv->shards[i], on_listen_start, NULL, 0);
}

static void
doors_shut(struct listen_shard *ls)
{
	struct door *d;

	while ((d = TAILQ_FIRST(&ls->doors)) != NULL)
		door_shut(ls, d);
}

void
listen_stop(struct shard *sh)
{
	struct listen_shard *ls = listen_shard(sh);

	ls->started = false;
	doors_shut(ls);
	(void)proxied_abort_all(sh);
	guests_close(sh, true);
}

void
listen_shard_free(struct shard *sh)
{
	struct listen_shard *ls = sh->listen;
	bool any;

	if (ls == NULL)
		return;
	doors_shut(ls);
	any = proxied_abort_all(sh);
	if (guests_abort(sh) || any)
		net_flush(sh->net);
	free(ls);
	sh->listen = NULL;
}
