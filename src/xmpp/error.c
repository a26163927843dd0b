/*
 * error.c - the error conditions of stanzas and of streams, as tables.
 *
 * Any thread.  The tables are indexed by the enums of error.h.
 */
#include "config.h"

#include "xmpp/error.h"

#include <assert.h>

#include "base/mem.h"

/* Types are those that RFC 6120 §8.3.3 recommends, the first where it leaves a
 * choice. */
static const struct {
	const char *name;
	const char *type;
} stanza_conds[] = {
	[COND_BAD_REQUEST] = { "bad-request", "modify" },
	[COND_CONFLICT] = { "conflict", "cancel" },
	[COND_FEATURE_NOT_IMPLEMENTED] = { "feature-not-implemented", "cancel" },
	[COND_FORBIDDEN] = { "forbidden", "auth" },
	[COND_GONE] = { "gone", "cancel" },
	[COND_INTERNAL_SERVER_ERROR] = { "internal-server-error", "cancel" },
	[COND_ITEM_NOT_FOUND] = { "item-not-found", "cancel" },
	[COND_JID_MALFORMED] = { "jid-malformed", "modify" },
	[COND_NOT_ACCEPTABLE] = { "not-acceptable", "modify" },
	[COND_NOT_ALLOWED] = { "not-allowed", "cancel" },
	[COND_NOT_AUTHORIZED] = { "not-authorized", "auth" },
	[COND_POLICY_VIOLATION] = { "policy-violation", "modify" },
	[COND_RECIPIENT_UNAVAILABLE] = { "recipient-unavailable", "wait" },
	[COND_REDIRECT] = { "redirect", "modify" },
	[COND_REGISTRATION_REQUIRED] = { "registration-required", "auth" },
	[COND_REMOTE_SERVER_NOT_FOUND] = { "remote-server-not-found", "cancel" },
	[COND_REMOTE_SERVER_TIMEOUT] = { "remote-server-timeout", "wait" },
	[COND_RESOURCE_CONSTRAINT] = { "resource-constraint", "wait" },
	[COND_SERVICE_UNAVAILABLE] = { "service-unavailable", "cancel" },
	[COND_SUBSCRIPTION_REQUIRED] = { "subscription-required", "auth" },
	[COND_UNDEFINED_CONDITION] = { "undefined-condition", "cancel" },
	[COND_UNEXPECTED_REQUEST] = { "unexpected-request", "wait" },
};

/* RFC 6120 §4.9.3 */
static const char *const stream_conds[] = {
	[STREAM_BAD_FORMAT] = "bad-format",
	[STREAM_BAD_NAMESPACE_PREFIX] = "bad-namespace-prefix",
	[STREAM_CONFLICT] = "conflict",
	[STREAM_CONNECTION_TIMEOUT] = "connection-timeout",
	[STREAM_HOST_GONE] = "host-gone",
	[STREAM_HOST_UNKNOWN] = "host-unknown",
	[STREAM_IMPROPER_ADDRESSING] = "improper-addressing",
	[STREAM_INTERNAL_SERVER_ERROR] = "internal-server-error",
	[STREAM_INVALID_FROM] = "invalid-from",
	[STREAM_INVALID_NAMESPACE] = "invalid-namespace",
	[STREAM_INVALID_XML] = "invalid-xml",
	[STREAM_NOT_AUTHORIZED] = "not-authorized",
	[STREAM_NOT_WELL_FORMED] = "not-well-formed",
	[STREAM_POLICY_VIOLATION] = "policy-violation",
	[STREAM_REMOTE_CONNECTION_FAILED] = "remote-connection-failed",
	[STREAM_RESET] = "reset",
	[STREAM_RESOURCE_CONSTRAINT] = "resource-constraint",
	[STREAM_RESTRICTED_XML] = "restricted-xml",
	[STREAM_SEE_OTHER_HOST] = "see-other-host",
	[STREAM_SYSTEM_SHUTDOWN] = "system-shutdown",
	[STREAM_UNDEFINED_CONDITION] = "undefined-condition",
	[STREAM_UNSUPPORTED_ENCODING] = "unsupported-encoding",
	[STREAM_UNSUPPORTED_FEATURE] = "unsupported-feature",
	[STREAM_UNSUPPORTED_STANZA_TYPE] = "unsupported-stanza-type",
	[STREAM_UNSUPPORTED_VERSION] = "unsupported-version",
};

const char *
stanza_cond_name(enum stanza_cond cond)
{
	assert(cond != COND_NONE && cond < COUNT(stanza_conds));
	return stanza_conds[cond].name;
}

const char *
stanza_cond_type(enum stanza_cond cond)
{
	assert(cond != COND_NONE && cond < COUNT(stanza_conds));
	return stanza_conds[cond].type;
}

const char *
stream_cond_name(enum stream_cond cond)
{
	assert(cond != STREAM_COND_NONE && cond < COUNT(stream_conds));
	return stream_conds[cond];
}

enum stanza_cond
stanza_cond_of(enum err_code code)
{
	switch (code) {
	case ERR_NONE:
		return COND_NONE;
	case ERR_INVALID:
		return COND_BAD_REQUEST;
	case ERR_MISSING:
		return COND_ITEM_NOT_FOUND;
	case ERR_CONFLICT:
		return COND_CONFLICT;
	case ERR_REFUSED:
		return COND_FORBIDDEN;
	case ERR_LIMIT:
	case ERR_BUSY:
	case ERR_DISK:
	case ERR_LOST:
		return COND_RESOURCE_CONSTRAINT;
	case ERR_TLS: /* RFC 6120 §8.3.3.17: a peer we could not agree with */
	case ERR_TIMEOUT: /* the same: or one that does not answer */
		return COND_REMOTE_SERVER_TIMEOUT;
	case ERR_CLOSED:
		return COND_RECIPIENT_UNAVAILABLE;
	case ERR_SYSTEM:
	case ERR_STORAGE:
		return COND_INTERNAL_SERVER_ERROR;
	}
	return COND_INTERNAL_SERVER_ERROR;
}
