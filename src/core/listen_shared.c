/*
 * listen_shared.c - ports of several kinds: which of them a connection is for.
 *
 * Pure functions of a snapshot and what has come; who asks keeps nothing of the
 * answer beyond the turn, for a reload may change it.
 */
#include "config.h"

#include <assert.h>

#include "base/mem.h"
#include "net/conn.h"
#include "conf/conf.h"
#include "core/host.h"
#include "core/listen.h"

const char *
listen_hindrance(const struct snapshot *snap, const char *kind)
{
	const struct listen_row *row = listen_row(snap, kind);

	return row != NULL && row->kind->hindrance != NULL ?
		row->kind->hindrance(snap) :
		NULL;
}

/* The kind of at with that index; NULL: it is closed. */
static const struct listen_row *
open_row(const struct snapshot *snap, const struct config_listen *at, size_t i)
{
	const struct listen_row *row = listen_row(snap, at->kinds.items[i]);

	return row != NULL && (row->kind->hindrance == NULL ||
			row->kind->hindrance(snap) == NULL) ?
		row :
		NULL;
}

static const struct listen_row *
first_row(const struct snapshot *snap, const struct config_listen *at)
{
	const struct listen_row *row = NULL;

	for (size_t i = 0; row == NULL && i < at->kinds.n; i++)
		row = open_row(snap, at, i);
	return row;
}

static bool
kind_speaks(const struct listen_kind *kind, struct str alpn)
{
	for (size_t i = 0; i < LISTEN_ALPN_MAX && kind->alpn[i] != NULL; i++)
		if (str_is(alpn, kind->alpn[i]))
			return true;
	return false;
}

const struct listen_row *
listen_by_alpn(const struct snapshot *snap, const struct config_listen *at,
	struct str alpn)
{
	for (size_t i = 0; i < at->kinds.n; i++) {
		const struct listen_row *row = open_row(snap, at, i);

		if (row != NULL && kind_speaks(row->kind, alpn))
			return row;
	}
	return NULL;
}

const struct listen_row *
listen_by_bytes(const struct snapshot *snap, const struct config_listen *at,
	struct str first, bool last, bool *more_out)
{
	*more_out = false;
	for (size_t i = 0; i < at->kinds.n; i++) {
		const struct listen_row *row = open_row(snap, at, i);
		enum listen_verdict v = LISTEN_NOT_MINE;

		if (row != NULL && row->kind->recognise != NULL)
			v = row->kind->recognise(first);
		if (v == LISTEN_MINE)
			return row;
		*more_out = *more_out || v == LISTEN_MORE;
	}
	*more_out = *more_out && !last;
	return *more_out ? NULL : first_row(snap, at);
}

size_t
listen_protocols(const struct snapshot *snap, const struct config_listen *at,
	struct conn_protocol *out)
{
	size_t n = 0;

	static_assert(LISTEN_KINDS_MAX * LISTEN_ALPN_MAX <= CONN_PROTOCOLS_MAX,
		"room for all");
	for (size_t i = 0; i < at->kinds.n; i++) {
		const struct listen_row *row = open_row(snap, at, i);

		for (size_t k = 0; row != NULL && k < LISTEN_ALPN_MAX &&
			row->kind->alpn[k] != NULL; k++)
			out[n++] = (struct conn_protocol){ row->kind->alpn[k],
				row->kind->of_servers };
	}
	return n;
}

int64_t
listen_patience(const struct snapshot *snap, const struct config_listen *at)
{
	int64_t least = snap->config->limits.login_timeout_us;

	for (size_t i = 0; i < at->kinds.n; i++) {
		const struct listen_row *row = open_row(snap, at, i);

		if (row != NULL && row->kind->accept_raw == NULL)
			least = MIN(least, row->kind->first_byte_us != 0 ?
					row->kind->first_byte_us :
					LISTEN_FIRST_BYTE_US);
	}
	return least;
}
