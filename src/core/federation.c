/*
 * federation.c - with which domains of others each of ours may talk, and how they
 * show who they are; declared in host.h.
 *
 * Any thread: a snapshot does not change.
 */
#include "config.h"

#include <string.h>

#include "xmpp/ip_literal.h"
#include "net/tls_peer.h"
#include "conf/conf.h"
#include "core/host.h"

enum federation_verdict
federation_may(const struct snapshot *snap, const struct host *local,
	struct str remote)
{
	const struct config_federation *f = local->federation;

	if (!local->federates)
		return FEDERATION_OFF_HERE;
	if (config_list_has(&f->deny, remote) ||
		(f->allow.n != 0 && !config_list_has(&f->allow, remote)) ||
		(!snap->config->s2s.ip_literals && ip_literal_is_like(remote)))
		return FEDERATION_FORBIDDEN;
	return FEDERATION_MAY;
}

int
federation_policy_of(const struct snapshot *snap, const struct host *local,
	struct str remote)
{
	const struct config_remote *known = config_remote(snap->config, remote);

	return known != NULL && known->policy != -1 ? known->policy :
						      local->federation->policy;
}

bool
federation_believes(int policy, const struct tls_judgement *j)
{
	if (j->dane == TLS_DANE_OTHER)
		return false;
	switch ((enum federation_policy)policy) {
	case POLICY_REQUIRED_TRUSTED:
		return j->worth == TLS_TRUSTED;
	case POLICY_DANE_OR_TRUSTED:
		return j->worth == TLS_TRUSTED || j->dane == TLS_DANE_FITS;
	case POLICY_DIALBACK_WITH_TLS:
		return true;
	}
	return false;
}

struct tls_trust *
snapshot_trust_at(const struct snapshot *snap, const char *path)
{
	for (size_t i = 0; i < snap->trusts.n; i++) {
		const char *is = tls_trust_path(snap->trusts.p[i]);

		if (is == path ||
			(is != NULL && path != NULL && strcmp(is, path) == 0))
			return snap->trusts.p[i];
	}
	return NULL;
}

const struct tls_trust *
snapshot_trust(const struct snapshot *snap, struct str local, struct str remote)
{
	const struct config_remote *known = config_remote(snap->config, remote);
	const struct host *host = snapshot_host(snap, local);

	if (known != NULL && known->authorities != NULL)
		return snapshot_trust_at(snap, known->authorities);
	return snapshot_trust_at(snap, host != NULL ?
			host->federation->authorities :
			snap->config->federation.authorities);
}
