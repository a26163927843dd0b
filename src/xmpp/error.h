/*
 * error.h - the error conditions of stanzas (RFC 6120 §8.3.3) and of streams
 * (§4.9.3), as tables.
 *
 * Any thread; pure functions.
 */
#ifndef XMPP_ERROR_H
#define XMPP_ERROR_H

#include "base/err.h"
#include "base/str.h"

struct arena;
struct elem;

/* Named after the element, with the type that RFC 6120 recommends. */
enum stanza_cond {
	COND_NONE,
	COND_BAD_REQUEST,
	COND_CONFLICT,
	COND_FEATURE_NOT_IMPLEMENTED,
	COND_FORBIDDEN,
	COND_GONE,
	COND_INTERNAL_SERVER_ERROR,
	COND_ITEM_NOT_FOUND,
	COND_JID_MALFORMED,
	COND_NOT_ACCEPTABLE,
	COND_NOT_ALLOWED,
	COND_NOT_AUTHORIZED,
	COND_POLICY_VIOLATION,
	COND_RECIPIENT_UNAVAILABLE,
	COND_REDIRECT,
	COND_REGISTRATION_REQUIRED,
	COND_REMOTE_SERVER_NOT_FOUND,
	COND_REMOTE_SERVER_TIMEOUT,
	COND_RESOURCE_CONSTRAINT,
	COND_SERVICE_UNAVAILABLE,
	COND_SUBSCRIPTION_REQUIRED,
	COND_UNDEFINED_CONDITION,
	COND_UNEXPECTED_REQUEST,
};

enum stream_cond {
	STREAM_COND_NONE, /* close without an error */
	STREAM_BAD_FORMAT,
	STREAM_BAD_NAMESPACE_PREFIX,
	STREAM_CONFLICT,
	STREAM_CONNECTION_TIMEOUT,
	STREAM_HOST_GONE,
	STREAM_HOST_UNKNOWN,
	STREAM_IMPROPER_ADDRESSING,
	STREAM_INTERNAL_SERVER_ERROR,
	STREAM_INVALID_FROM,
	STREAM_INVALID_NAMESPACE,
	STREAM_INVALID_XML,
	STREAM_NOT_AUTHORIZED,
	STREAM_NOT_WELL_FORMED,
	STREAM_POLICY_VIOLATION,
	STREAM_REMOTE_CONNECTION_FAILED,
	STREAM_RESET,
	STREAM_RESOURCE_CONSTRAINT,
	STREAM_RESTRICTED_XML,
	STREAM_SEE_OTHER_HOST,
	STREAM_SYSTEM_SHUTDOWN,
	STREAM_UNDEFINED_CONDITION,
	STREAM_UNSUPPORTED_ENCODING,
	STREAM_UNSUPPORTED_FEATURE,
	STREAM_UNSUPPORTED_STANZA_TYPE,
	STREAM_UNSUPPORTED_VERSION,
};

const char *stanza_cond_name(enum stanza_cond cond); /* "bad-request" */
const char *stanza_cond_type(enum stanza_cond cond); /* "modify" */
/* What the number of RFC 3920 days would be, for clients that only know
 * those (XEP-0086); 0 when there is none. */
int stanza_cond_code(enum stanza_cond cond);
const char *stream_cond_name(enum stream_cond cond);

/* The one table from our own errors to what a peer may be told. */
enum stanza_cond stanza_cond_of(enum err_code code);

#endif
