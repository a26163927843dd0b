/*
 * dns_context.c - makes a context of libunbound, as the configuration wants it.
 *
 * The thread of the DNS: files are read here.  What the library would say on
 * standard error is not said: who asked gets the reason with the answer.
 */
#include "config.h"

#include "dns/dns_int.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <unbound.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"

static bool
unbound_err(struct err *err, int rc, const char *what)
{
	return err_set(err, ERR_SYSTEM, "%s: %s", what, ub_strerror(rc));
}

static bool
context_set(struct ub_ctx *ctx, const char *option, const char *value,
	struct err *err)
{
	int rc = ub_ctx_set_option(ctx, option, value);

	return rc == UB_NOERROR || unbound_err(err, rc, option);
}

/*
 * A name server that is silent for one zone shall not keep others waiting: there
 * are sockets for all that the library may be looking up, and a server that seemed
 * dead is tried again soon (a forwarder is one server, and answers for all zones).
 * One that has answered at once so far may take its time, as it does for what it has
 * to look up itself: the library drops an answer that comes after it has asked again,
 * and by itself would do that 50 ms later, five times, and give up.
 */
static bool
context_tune(struct ub_ctx *ctx, const struct config_dns *conf, struct err *err)
{
	static const char *const fixed[][2] = {
		{ "outgoing-num-tcp:", "8" },
		{ "cache-max-negative-ttl:", "60" },
		{ "infra-host-ttl:", "60" },
		{ "infra-keep-probing:", "yes" },
		{ "infra-cache-min-rtt:", "2000" }, /* ms */
	};
	char number[16];

	snprintf(number, sizeof(number), "%d",
		(int)conf->questions * (DNS_SLOW_MAX + 1));
	for (size_t i = 0; i < COUNT(fixed); i++)
		if (!context_set(ctx, fixed[i][0], fixed[i][1], err))
			return false;
	return context_set(ctx, "outgoing-range:", number, err) &&
		context_set(ctx, "num-queries-per-thread:", number, err) &&
		context_set(ctx, "harden-dnssec-stripped:",
			conf->dnssec == DNSSEC_REQUIRED ? "yes" : "no", err);
}

static bool
context_servers(struct ub_ctx *ctx, const struct config_dns *conf,
	struct err *err)
{
	int rc = UB_NOERROR;

	for (size_t i = 0; i < conf->servers.n; i++) {
		rc = ub_ctx_set_fwd(ctx, conf->servers.items[i]);
		if (rc != UB_NOERROR)
			return unbound_err(err, rc, conf->servers.items[i]);
	}
	if (conf->servers.n != 0)
		return true;
	if (access(conf->resolv_conf, F_OK) == -1 && errno == ENOENT) {
		log_info(LOG_DNS, LOG_NOBODY,
			"there is no list of name servers, asking from the root on file=%s",
			conf->resolv_conf);
		return true;
	}
	rc = ub_ctx_resolvconf(ctx, conf->resolv_conf);
	return rc == UB_NOERROR || unbound_err(err, rc, conf->resolv_conf);
}

static bool
context_hosts(struct ub_ctx *ctx, const struct config_dns *conf,
	struct err *err)
{
	int rc;

	if (access(conf->hosts_file, F_OK) == -1 && errno == ENOENT)
		return true;
	rc = ub_ctx_hosts(ctx, conf->hosts_file);
	return rc == UB_NOERROR || unbound_err(err, rc, conf->hosts_file);
}

/* The library has a zone of its own for each that is reserved, which one of ours
 * takes the place of: one without data.  (`nodefault' is for files alone.) */
static bool
context_zones(struct ub_ctx *ctx, const struct config_dns *conf,
	struct err *err)
{
	struct buf value = BUF_INIT;
	bool ok = true;

	for (size_t i = 0; ok && i < conf->reserved_zones.n; i++) {
		char name[DNS_NAME_SIZE];

		if (!dns_name(conf->reserved_zones.items[i], name))
			continue;
		value.n = 0;
		buf_printf(&value, "%s. transparent", name);
		ok = context_set(ctx, "local-zone:", buf_c(&value), err);
	}
	buf_done(&value);
	return ok;
}

/* The owner of the first record of a file of keys, without the last dot; the root
 * is ".". */
static bool
anchor_read(const char *path, char out[DNS_NAME_SIZE], struct err *err)
{
	FILE *f = fopen(path, "re");
	char line[4096];
	size_t n = 0;

	if (f == NULL)
		return err_errno(err, "%s", path);
	while (n == 0 && fgets(line, sizeof(line), f) != NULL)
		n = strcspn(line, " \t;\r\n");
	fclose(f);
	if (n == 0 || n >= DNS_NAME_SIZE)
		return err_set(err, ERR_INVALID, "%s: there is no key in it",
			path);
	if (n > 1 && line[n - 1] == '.')
		n--;
	memcpy(out, line, n);
	out[n] = '\0';
	return true;
}

static bool
context_trust(struct ub_ctx *ctx, const struct config_dns *conf,
	char anchor_out[DNS_NAME_SIZE], struct err *err)
{
	struct err why = ERR_INIT;
	int rc;

	anchor_out[0] = '\0';
	if (conf->dnssec == DNSSEC_OFF)
		return context_set(ctx, "module-config:", "iterator", err);
	if (anchor_read(conf->trust_anchor, anchor_out, &why)) {
		rc = ub_ctx_add_ta_file(ctx, conf->trust_anchor);
		return rc == UB_NOERROR ||
			unbound_err(err, rc, conf->trust_anchor);
	}
	if (conf->dnssec == DNSSEC_REQUIRED) {
		*err = why;
		return false;
	}
	log_warn(LOG_DNS, LOG_NOBODY,
		"signatures are not checked, all names count as unsigned; is dns-root-data installed? reason=\"%s\"",
		why.text);
	return true;
}

struct ub_ctx *
dns_context_new(const struct config_dns *conf, unsigned flags,
	char anchor_out[DNS_NAME_SIZE], struct err *err)
{
	struct ub_ctx *ctx = ub_ctx_create();

	if (ctx == NULL) {
		err_set(err, ERR_SYSTEM, "libunbound cannot be used");
		return NULL;
	}
	ub_ctx_debugout(ctx, NULL);
	if (context_tune(ctx, conf, err) && context_servers(ctx, conf, err) &&
		((flags & DNS_AS_OTHERS) != 0 ||
			context_hosts(ctx, conf, err)) &&
		context_zones(ctx, conf, err) &&
		context_trust(ctx, conf, anchor_out, err) &&
		/* a thread, not a process */
		ub_ctx_async(ctx, 1) == UB_NOERROR)
		return ctx;
	err_prefix(err, "dns");
	ub_ctx_delete(ctx);
	return NULL;
}

enum dns_trust
dns_judge_keys(const struct config_dns *conf, const struct dns_part *part)
{
	if (part->state == DNS_FOUND && part->secure)
		return DNS_TRUST_YES;
	log_warn(LOG_DNS, LOG_NOBODY,
		"the keys of the DNS do not come, %s: a name server on the way may strip signatures zone=%s reason=\"%s\"",
		conf->dnssec == DNSSEC_REQUIRED ? "no name is believed" :
						  "names count as unsigned",
		part->name,
		part->why[0] != '\0' ? part->why :
				       "they come without signatures");
	return DNS_TRUST_NO;
}
