/*
 * cert_expiry.c - tells in the log, once a day, which certificates end soon.
 *
 * The timer belongs to the server, and runs on shard 0.  What it looks at was
 * read with the certificates: no file is opened.
 */
#include "config.h"

#include "core/cert_expiry.h"

#include <inttypes.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/tls.h"
#include "conf/conf.h"
#include "core/host.h"
#include "core/shard.h"

#define S_PER_DAY INT64_C(86400)
#define DAY_US (S_PER_DAY * US_PER_S)

static int64_t
snapshot_now_s(const struct snapshot *snap)
{
	return clock_wall_us(snap->server->clock) / US_PER_S;
}

/* Whole ones, rounded down: an hour ago is -1. */
static int64_t
days_between(int64_t from_s, int64_t to_s)
{
	int64_t s = to_s - from_s;

	return s >= 0 ? s / S_PER_DAY : -((-s + S_PER_DAY - 1) / S_PER_DAY);
}

static void
on_report(void *arg, const char *host, const char *file, int64_t ends_s)
{
	const struct snapshot *snap = arg;
	int64_t now_s = snapshot_now_s(snap);
	int64_t warning_s = snap->config->tls.expiry_warning_us / US_PER_S;
	int64_t days = days_between(now_s, ends_s);

	if (ends_s < now_s)
		log_error(LOG_TLS, LOG_NOBODY,
			"certificate has expired host=%s days=%" PRId64
			" file=%s",
			host, days, file);
	else if (ends_s - now_s < warning_s)
		log_warn(LOG_TLS, LOG_NOBODY,
			"certificate expires soon host=%s days=%" PRId64
			" file=%s",
			host, days, file);
}

void
cert_expiry_report(const struct snapshot *snap)
{
	if (snap->tls != NULL)
		tls_set_expiry(snap->tls, on_report, (void *)(uintptr_t)snap);
}

struct first {
	struct str host;
	int64_t ends_s;
};

static void
on_first(void *arg, const char *host, const char *file, int64_t ends_s)
{
	struct first *first = arg;

	(void)file;
	if (first->host.p == NULL || ends_s < first->ends_s)
		*first = (struct first){ str_c(host), ends_s };
}

bool
cert_expiry_first(const struct snapshot *snap, struct str *host_out,
	int64_t *days_out)
{
	struct first first = { STR_NONE, 0 };

	if (snap->tls != NULL)
		tls_set_expiry(snap->tls, on_first, &first);
	if (first.host.p == NULL)
		return false;
	*host_out = first.host;
	*days_out = days_between(snapshot_now_s(snap), first.ends_s);
	return true;
}

static void
on_day(struct timer *t)
{
	struct server *srv = CONTAINER_OF(t, struct server, expiry);

	cert_expiry_report(srv->newest);
	shard_timer(srv->shards[0], t, DAY_US, on_day);
}

void
cert_expiry_watch(struct shard *sh, void *arg)
{
	(void)arg;
	shard_timer(sh, &sh->server->expiry, DAY_US, on_day);
}
