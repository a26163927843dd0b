/*
 * test_subscription.c - every cell of the tables of RFC 6121 appendix A, which
 * stand here as the RFC prints them.
 */
#include "config.h"

#include "xmpp/subscription.h"

#include "test.h"

#define SAME "no state change"
#define APPROVE "pre-approval"

struct row {
	const char *state, *pass, *next;
};

static const struct row outbound_subscribe[] = {
	{ "None", "MUST", "None + Pending Out" },
	{ "None + Pending Out", "MUST", SAME },
	{ "None + Pending In", "MUST", "None + Pending Out+In" },
	{ "None + Pending Out+In", "MUST", SAME },
	{ "To", "MUST", SAME },
	{ "To + Pending In", "MUST", SAME },
	{ "From", "MUST", "From + Pending Out" },
	{ "From + Pending Out", "MUST", SAME },
	{ "Both", "MUST", SAME },
};

static const struct row outbound_unsubscribe[] = {
	{ "None", "MUST", SAME },
	{ "None + Pending Out", "MUST", "None" },
	{ "None + Pending In", "MUST", SAME },
	{ "None + Pending Out+In", "MUST", "None + Pending In" },
	{ "To", "MUST", "None" },
	{ "To + Pending In", "MUST", "None + Pending In" },
	{ "From", "MUST", SAME },
	{ "From + Pending Out", "MUST", "From" },
	{ "Both", "MUST", "From" },
};

static const struct row outbound_subscribed[] = {
	{ "None", "M.N.", APPROVE },
	{ "None + Pending Out", "M.N.", APPROVE },
	{ "None + Pending In", "MUST", "From" },
	{ "None + Pending Out+In", "MUST", "From + Pending Out" },
	{ "To", "M.N.", APPROVE },
	{ "To + Pending In", "MUST", "Both" },
	{ "From", "M.N.", SAME },
	{ "From + Pending Out", "M.N.", SAME },
	{ "Both", "M.N.", SAME },
};

static const struct row outbound_unsubscribed[] = {
	{ "None", "S.N.", SAME },
	{ "None + Pending Out", "S.N.", SAME },
	{ "None + Pending In", "MUST", "None" },
	{ "None + Pending Out+In", "MUST", "None + Pending Out" },
	{ "To", "S.N.", SAME },
	{ "To + Pending In", "MUST", "To" },
	{ "From", "MUST", "None" },
	{ "From + Pending Out", "MUST", "None + Pending Out" },
	{ "Both", "MUST", "To" },
};

/* [2]: auto-reply with "subscribed" */
static const struct row inbound_subscribe[] = {
	{ "None", "MUST", "None + Pending In" },
	{ "None + Pending Out", "MUST", "None + Pending Out+In" },
	{ "None + Pending In", "S.N.", SAME },
	{ "None + Pending Out+In", "S.N.", SAME },
	{ "To", "MUST", "To + Pending In" },
	{ "To + Pending In", "S.N.", SAME },
	{ "From", "S.N. [2]", SAME },
	{ "From + Pending Out", "S.N. [2]", SAME },
	{ "Both", "S.N. [2]", SAME },
};

/* [1]: auto-reply with "unsubscribed" */
static const struct row inbound_unsubscribe[] = {
	{ "None", "S.N.", SAME },
	{ "None + Pending Out", "S.N.", SAME },
	{ "None + Pending In", "MUST [1]", "None" },
	{ "None + Pending Out+In", "MUST [1]", "None + Pending Out" },
	{ "To", "S.N.", SAME },
	{ "To + Pending In", "MUST [1]", "To" },
	{ "From", "MUST [1]", "None" },
	{ "From + Pending Out", "MUST [1]", "None + Pending Out" },
	{ "Both", "MUST [1]", "To" },
};

static const struct row inbound_subscribed[] = {
	{ "None", "S.N.", SAME },
	{ "None + Pending Out", "MUST", "To" },
	{ "None + Pending In", "S.N.", SAME },
	{ "None + Pending Out+In", "MUST", "To + Pending In" },
	{ "To", "S.N.", SAME },
	{ "To + Pending In", "S.N.", SAME },
	{ "From", "S.N.", SAME },
	{ "From + Pending Out", "MUST", "Both" },
	{ "Both", "S.N.", SAME },
};

static const struct row inbound_unsubscribed[] = {
	{ "None", "S.N.", SAME },
	{ "None + Pending Out", "MUST", "None" },
	{ "None + Pending In", "S.N.", SAME },
	{ "None + Pending Out+In", "MUST", "None + Pending In" },
	{ "To", "MUST", "None" },
	{ "To + Pending In", "MUST", "None + Pending In" },
	{ "From", "S.N.", SAME },
	{ "From + Pending Out", "MUST", "From" },
	{ "Both", "MUST", "From" },
};

#define N_ROWS 9

static const struct {
	const char *name;
	enum stanza_type type;
	const struct row *rows;
	bool outbound;
} tables[] = {
	{ "table 2", PRESENCE_SUBSCRIBE, outbound_subscribe, true },
	{ "table 3", PRESENCE_UNSUBSCRIBE, outbound_unsubscribe, true },
	{ "table 4", PRESENCE_SUBSCRIBED, outbound_subscribed, true },
	{ "table 5", PRESENCE_UNSUBSCRIBED, outbound_unsubscribed, true },
	{ "table 6", PRESENCE_SUBSCRIBE, inbound_subscribe, false },
	{ "table 7", PRESENCE_UNSUBSCRIBE, inbound_unsubscribe, false },
	{ "table 8", PRESENCE_SUBSCRIBED, inbound_subscribed, false },
	{ "table 9", PRESENCE_UNSUBSCRIBED, inbound_unsubscribed, false },
};

/* "None + Pending Out+In" and its like to flags. */
static uint8_t
state_of(const char *text)
{
	uint8_t state = 0;

	if (strncmp(text, "To", 2) == 0)
		state = SUB_TO;
	else if (strncmp(text, "From", 4) == 0)
		state = SUB_FROM;
	else if (strncmp(text, "Both", 4) == 0)
		state = SUB_TO | SUB_FROM;
	if (strstr(text, "Out") != NULL)
		state |= SUB_PENDING_OUT;
	if (strstr(text, "In") != NULL)
		state |= SUB_PENDING_IN;
	return state;
}

static struct subscription_step
step_of(size_t table, uint8_t state)
{
	return tables[table].outbound ?
		subscription_out(state, tables[table].type) :
		subscription_in(state, tables[table].type);
}

TEST(every_cell_of_the_tables_of_rfc_6121_is_carried_out)
{
	for (size_t t = 0; t < COUNT(tables); t++) {
		for (size_t i = 0; i < N_ROWS; i++) {
			const struct row *row = &tables[t].rows[i];
			uint8_t state = state_of(row->state), next = state;
			struct subscription_step step = step_of(t, state);
			enum stanza_type reply = PRESENCE_AVAILABLE;
			char label[80];

			snprintf(label, sizeof(label), "%s: %s",
				tables[t].name, row->state);
			TEST_CASE(label);
			if (strcmp(row->next, APPROVE) == 0)
				next |= SUB_APPROVED;
			else if (strcmp(row->next, SAME) != 0)
				next = state_of(row->next);
			if (strstr(row->pass, "[1]") != NULL)
				reply = PRESENCE_UNSUBSCRIBED;
			if (strstr(row->pass, "[2]") != NULL)
				reply = PRESENCE_SUBSCRIBED;
			CHECK_INT(step.state, next);
			CHECK_INT(step.pass, strncmp(row->pass, "MUST", 4) == 0);
			CHECK_INT(step.reply, reply);
		}
	}
}

static const struct row preapproved[] = {
	{ "None", NULL, "From" },
	{ "None + Pending Out", NULL, "From + Pending Out" },
	{ "None + Pending In", NULL, "From" },
	{ "None + Pending Out+In", NULL, "From + Pending Out" },
	{ "To", NULL, "Both" },
	{ "To + Pending In", NULL, "Both" },
	{ "From", NULL, "From" },
	{ "From + Pending Out", NULL, "From + Pending Out" },
	{ "Both", NULL, "Both" },
};

TEST(a_request_that_was_approved_before_is_granted_without_being_shown)
{
	for (size_t i = 0; i < COUNT(preapproved); i++) {
		uint8_t state = state_of(preapproved[i].state) | SUB_APPROVED;
		struct subscription_step step =
			subscription_in(state, PRESENCE_SUBSCRIBE);

		TEST_CASE(preapproved[i].state);
		CHECK_INT(step.state,
			state_of(preapproved[i].next) | SUB_APPROVED);
		CHECK(!step.pass);
		CHECK_INT(step.reply, PRESENCE_SUBSCRIBED);
	}
}

TEST(only_our_own_unsubscribed_cancels_a_preapproval)
{
	for (size_t t = 0; t < COUNT(tables); t++) {
		for (size_t i = 0; i < N_ROWS; i++) {
			uint8_t state = state_of(tables[t].rows[i].state);
			struct subscription_step step =
				step_of(t, state | SUB_APPROVED);
			bool cancels = tables[t].outbound &&
				tables[t].type == PRESENCE_UNSUBSCRIBED;

			TEST_CASE(tables[t].name);
			CHECK_INT((step.state & SUB_APPROVED) == 0, cancels);
			if (cancels)
				CHECK_INT(step.pass, step_of(t, state).pass);
		}
	}
}

TEST(nine_states_are_legal_with_and_without_approval)
{
	int legal = 0;

	for (int state = 0; state < 256; state++)
		legal += subscription_is_legal((uint8_t)state);
	CHECK_INT(legal, 18);
	for (size_t i = 0; i < N_ROWS; i++) {
		uint8_t state = state_of(outbound_subscribe[i].state);

		TEST_CASE(outbound_subscribe[i].state);
		CHECK(subscription_is_legal(state));
		CHECK(subscription_is_legal(state | SUB_APPROVED));
	}
	CHECK(!subscription_is_legal(SUB_TO | SUB_PENDING_OUT));
	CHECK(!subscription_is_legal(SUB_FROM | SUB_PENDING_IN));
}

TEST(any_state_and_any_type_end_in_a_legal_state)
{
	for (int state = 0; state < 256; state++) {
		for (int type = MESSAGE_NORMAL; type <= IQ_ERROR; type++) {
			enum stanza_type t = (enum stanza_type)type;

			CHECK(subscription_is_legal(
				subscription_out((uint8_t)state, t).state));
			CHECK(subscription_is_legal(
				subscription_in((uint8_t)state, t).state));
		}
	}
}

TEST(presence_of_other_types_changes_nothing)
{
	struct subscription_step step =
		subscription_in(SUB_TO | SUB_PENDING_IN, PRESENCE_PROBE);

	CHECK_INT(step.state, SUB_TO | SUB_PENDING_IN);
	CHECK(!step.pass);
	CHECK_INT(step.reply, PRESENCE_AVAILABLE);
}

TEST(a_state_is_named_as_in_the_roster)
{
	CHECK_CSTR(subscription_name(SUB_PENDING_IN | SUB_APPROVED), "none");
	CHECK_CSTR(subscription_name(SUB_TO | SUB_PENDING_IN), "to");
	CHECK_CSTR(subscription_name(SUB_FROM), "from");
	CHECK_CSTR(subscription_name(SUB_TO | SUB_FROM), "both");
}

TEST_MAIN
