/*
 * test_error.c - the tables of error conditions have no hole and no slip.
 */
#include "config.h"

#include "xmpp/error.h"

#include "test.h"

static const struct {
	enum stanza_cond cond;
	const char *name, *type;
	int code;
} conds[] = {
	{ COND_BAD_REQUEST, "bad-request", "modify", 400 },
	{ COND_CONFLICT, "conflict", "cancel", 409 },
	{ COND_FEATURE_NOT_IMPLEMENTED, "feature-not-implemented", "cancel",
		501 },
	{ COND_FORBIDDEN, "forbidden", "auth", 403 },
	{ COND_GONE, "gone", "cancel", 302 },
	{ COND_INTERNAL_SERVER_ERROR, "internal-server-error", "cancel", 500 },
	{ COND_ITEM_NOT_FOUND, "item-not-found", "cancel", 404 },
	{ COND_JID_MALFORMED, "jid-malformed", "modify", 400 },
	{ COND_NOT_ACCEPTABLE, "not-acceptable", "modify", 406 },
	{ COND_NOT_ALLOWED, "not-allowed", "cancel", 405 },
	{ COND_NOT_AUTHORIZED, "not-authorized", "auth", 401 },
	{ COND_POLICY_VIOLATION, "policy-violation", "modify", 0 },
	{ COND_RECIPIENT_UNAVAILABLE, "recipient-unavailable", "wait", 404 },
	{ COND_REDIRECT, "redirect", "modify", 302 },
	{ COND_REGISTRATION_REQUIRED, "registration-required", "auth", 407 },
	{ COND_REMOTE_SERVER_NOT_FOUND, "remote-server-not-found", "cancel",
		404 },
	{ COND_REMOTE_SERVER_TIMEOUT, "remote-server-timeout", "wait", 504 },
	{ COND_RESOURCE_CONSTRAINT, "resource-constraint", "wait", 500 },
	{ COND_SERVICE_UNAVAILABLE, "service-unavailable", "cancel", 503 },
	{ COND_SUBSCRIPTION_REQUIRED, "subscription-required", "auth", 407 },
	{ COND_UNDEFINED_CONDITION, "undefined-condition", "cancel", 500 },
	{ COND_UNEXPECTED_REQUEST, "unexpected-request", "wait", 400 },
};

TEST(a_stanza_condition_has_the_name_and_type_of_rfc_6120)
{
	CHECK_INT(COUNT(conds), COND_UNEXPECTED_REQUEST);
	for (size_t i = 0; i < COUNT(conds); i++) {
		TEST_CASE(conds[i].name);
		CHECK_CSTR(stanza_cond_name(conds[i].cond), conds[i].name);
		CHECK_CSTR(stanza_cond_type(conds[i].cond), conds[i].type);
		CHECK_INT(stanza_cond_code(conds[i].cond), conds[i].code);
	}
}

TEST(stream_conditions_are_complete_and_sorted_as_in_the_rfc)
{
	CHECK_CSTR(stream_cond_name(STREAM_BAD_FORMAT), "bad-format");
	CHECK_CSTR(stream_cond_name(STREAM_RESET), "reset");
	CHECK_CSTR(stream_cond_name(STREAM_UNSUPPORTED_VERSION),
		"unsupported-version");
	for (int c = STREAM_BAD_FORMAT + 1; c <= STREAM_UNSUPPORTED_VERSION;
		c++)
		CHECK(strcmp(stream_cond_name((enum stream_cond)(c - 1)),
			      stream_cond_name((enum stream_cond)c)) < 0);
}

TEST(every_error_of_ours_has_something_to_tell_a_peer)
{
	CHECK_INT(stanza_cond_of(ERR_NONE), COND_NONE);
	CHECK_INT(stanza_cond_of(ERR_INVALID), COND_BAD_REQUEST);
	CHECK_INT(stanza_cond_of(ERR_MISSING), COND_ITEM_NOT_FOUND);
	CHECK_INT(stanza_cond_of(ERR_REFUSED), COND_FORBIDDEN);
	for (int c = ERR_SYSTEM; c <= ERR_CLOSED; c++)
		CHECK(stanza_cond_of((enum err_code)c) != COND_NONE);
}

TEST_MAIN
