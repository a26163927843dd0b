/*
 * subscription.c - the state machine of presence subscriptions, as tables.
 *
 * Any thread.  A row of a table is one of the nine states of RFC 6121 §A.1,
 * found through rows[]; pre-approval (§3.4) lies beside the tables, and is
 * dealt with before or after looking into them.
 */
#include "config.h"

#include "xmpp/subscription.h"

#include "base/mem.h"

#define N 0
#define NO SUB_PENDING_OUT
#define NI SUB_PENDING_IN
#define NOI (SUB_PENDING_OUT | SUB_PENDING_IN)
#define T SUB_TO
#define TI (SUB_TO | SUB_PENDING_IN)
#define F SUB_FROM
#define FO (SUB_FROM | SUB_PENDING_OUT)
#define B (SUB_TO | SUB_FROM)
#define FLAGS (B | NOI) /* all but pre-approval */

#define N_ROWS 9

static const uint8_t states[N_ROWS] = { N, NO, NI, NOI, T, TI, F, FO, B };

struct cell {
	uint8_t state;
	bool pass;
};

/* Tables 2 to 5, RFC 6121 §A.2; the columns are subscribe, unsubscribe,
 * subscribed, unsubscribed. */
static const struct cell outbound[N_ROWS][4] = {
	/* N   */ { { NO, 1 }, { N, 1 }, { N, 0 }, { N, 0 } },
	/* NO  */ { { NO, 1 }, { N, 1 }, { NO, 0 }, { NO, 0 } },
	/* NI  */ { { NOI, 1 }, { NI, 1 }, { F, 1 }, { N, 1 } },
	/* NOI */ { { NOI, 1 }, { NI, 1 }, { FO, 1 }, { NO, 1 } },
	/* T   */ { { T, 1 }, { N, 1 }, { T, 0 }, { T, 0 } },
	/* TI  */ { { TI, 1 }, { NI, 1 }, { B, 1 }, { T, 1 } },
	/* F   */ { { FO, 1 }, { F, 1 }, { F, 0 }, { N, 1 } },
	/* FO  */ { { FO, 1 }, { F, 1 }, { FO, 0 }, { NO, 1 } },
	/* B   */ { { B, 1 }, { F, 1 }, { B, 0 }, { T, 1 } },
};

/* Tables 6 to 9, RFC 6121 §A.3. */
static const struct cell inbound[N_ROWS][4] = {
	/* N   */ { { NI, 1 }, { N, 0 }, { N, 0 }, { N, 0 } },
	/* NO  */ { { NOI, 1 }, { NO, 0 }, { T, 1 }, { N, 1 } },
	/* NI  */ { { NI, 0 }, { N, 1 }, { NI, 0 }, { NI, 0 } },
	/* NOI */ { { NOI, 0 }, { NO, 1 }, { TI, 1 }, { NI, 1 } },
	/* T   */ { { TI, 1 }, { T, 0 }, { T, 0 }, { N, 1 } },
	/* TI  */ { { TI, 0 }, { T, 1 }, { TI, 0 }, { NI, 1 } },
	/* F   */ { { F, 0 }, { N, 1 }, { F, 0 }, { F, 0 } },
	/* FO  */ { { FO, 0 }, { NO, 1 }, { B, 1 }, { F, 1 } },
	/* B   */ { { B, 0 }, { T, 1 }, { B, 0 }, { F, 1 } },
};

/* A request is no longer pending once it was granted: that makes one of the
 * nine states of any set of flags, whatever a database held. */
static uint8_t
mended(uint8_t state)
{
	state &= FLAGS;
	if ((state & SUB_TO) != 0)
		state &= (uint8_t)~SUB_PENDING_OUT;
	if ((state & SUB_FROM) != 0)
		state &= (uint8_t)~SUB_PENDING_IN;
	return state;
}

static size_t
row_of(uint8_t state)
{
	size_t row = 0;

	while (row < N_ROWS - 1 && states[row] != state)
		row++;
	return row;
}

/* -1 for a type that has nothing to do with subscriptions. */
static int
column_of(enum stanza_type type)
{
	static const enum stanza_type columns[] = { PRESENCE_SUBSCRIBE,
		PRESENCE_UNSUBSCRIBE, PRESENCE_SUBSCRIBED,
		PRESENCE_UNSUBSCRIBED };

	for (size_t i = 0; i < COUNT(columns); i++) {
		if (columns[i] == type)
			return (int)i;
	}
	return -1;
}

bool
subscription_is_legal(uint8_t state)
{
	return (state & ~(FLAGS | SUB_APPROVED)) == 0 &&
		mended(state) == (state & FLAGS);
}

const char *
subscription_name(uint8_t state)
{
	static const char *const names[] = { "none", "to", "from", "both" };

	return names[state & B];
}

struct subscription_step
subscription_out(uint8_t state, enum stanza_type type)
{
	uint8_t now = mended(state);
	uint8_t approved = state & SUB_APPROVED;
	int column = column_of(type);
	struct subscription_step step = { .state = now | approved,
		.reply = PRESENCE_AVAILABLE };
	struct cell cell;

	if (column == -1)
		return step;
	cell = outbound[row_of(now)][column];
	/* §3.4.2: approved before it was asked for */
	if (type == PRESENCE_SUBSCRIBED && !cell.pass && (now & SUB_FROM) == 0)
		approved = SUB_APPROVED;
	if (type == PRESENCE_UNSUBSCRIBED) /* §3.2.2 */
		approved = 0;
	step.state = cell.state | approved;
	step.pass = cell.pass;
	return step;
}

struct subscription_step
subscription_in(uint8_t state, enum stanza_type type)
{
	uint8_t now = mended(state);
	uint8_t approved = state & SUB_APPROVED;
	int column = column_of(type);
	struct subscription_step step = { .state = now | approved,
		.reply = PRESENCE_AVAILABLE };
	struct cell cell;

	if (column == -1)
		return step;
	/* §3.4.2, and notes [1] and [2] of table 6: the user need not see what
	 * was granted already; the pre-approval itself stays */
	if (type == PRESENCE_SUBSCRIBE &&
		(approved != 0 || (now & SUB_FROM) != 0)) {
		step.state = mended(now | SUB_FROM) | approved;
		step.reply = PRESENCE_SUBSCRIBED;
		return step;
	}
	cell = inbound[row_of(now)][column];
	step.state = cell.state | approved;
	step.pass = cell.pass;
	if (type == PRESENCE_UNSUBSCRIBE && cell.pass) /* note [1] of table 7 */
		step.reply = PRESENCE_UNSUBSCRIBED;
	return step;
}
