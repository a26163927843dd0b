/*
 * test_error.c - the tables of error conditions have no hole and no slip.
 */
#include "config.h"

#include "xmpp/error.h"

#include "test.h"

static const struct {
	enum stanza_cond cond;
	const char *name, *type;
} conds[] = {
	{ COND_BAD_REQUEST, "bad-request", "modify" },
	{ COND_CONFLICT, "conflict", "cancel" },
	{ COND_FEATURE_NOT_IMPLEMENTED, "feature-not-implemented", "cancel" },
	{ COND_FORBIDDEN, "forbidden", "auth" },
	{ COND_GONE, "gone", "cancel" },
	{ COND_INTERNAL_SERVER_ERROR, "internal-server-error", "cancel" },
	{ COND_ITEM_NOT_FOUND, "item-not-found", "cancel" },
	{ COND_JID_MALFORMED, "jid-malformed", "modify" },
	{ COND_NOT_ACCEPTABLE, "not-acceptable", "modify" },
	{ COND_NOT_ALLOWED, "not-allowed", "cancel" },
	{ COND_NOT_AUTHORIZED, "not-authorized", "auth" },
	{ COND_POLICY_VIOLATION, "policy-violation", "modify" },
	{ COND_RECIPIENT_UNAVAILABLE, "recipient-unavailable", "wait" },
	{ COND_REDIRECT, "redirect", "modify" },
	{ COND_REGISTRATION_REQUIRED, "registration-required", "auth" },
	{ COND_REMOTE_SERVER_NOT_FOUND, "remote-server-not-found", "cancel" },
	{ COND_REMOTE_SERVER_TIMEOUT, "remote-server-timeout", "wait" },
	{ COND_RESOURCE_CONSTRAINT, "resource-constraint", "wait" },
	{ COND_SERVICE_UNAVAILABLE, "service-unavailable", "cancel" },
	{ COND_SUBSCRIPTION_REQUIRED, "subscription-required", "auth" },
	{ COND_UNDEFINED_CONDITION, "undefined-condition", "cancel" },
	{ COND_UNEXPECTED_REQUEST, "unexpected-request", "wait" },
};

TEST(a_stanza_condition_has_the_name_and_type_of_rfc_6120)
{
	CHECK_INT(COUNT(conds), COND_UNEXPECTED_REQUEST);
	for (size_t i = 0; i < COUNT(conds); i++) {
		TEST_CASE(conds[i].name);
		CHECK_CSTR(stanza_cond_name(conds[i].cond), conds[i].name);
		CHECK_CSTR(stanza_cond_type(conds[i].cond), conds[i].type);
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
