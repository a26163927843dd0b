/*
 * strangers.c - what those may send to users who do not have them in their roster:
 * messages of whom are taken, and how many requests for presence.
 *
 * Owner shard of the account.  Whom the user has sent his presence is no stranger
 * either, such as a room (HOOK_ACCOUNT_KNOWS).  The guard comes before whoever keeps a
 * copy, so that nothing is left of what is refused.  It asks whether there is such an
 * account last, or not at all, so that nobody finds that out by it; and whom the user has
 * blocked is a stranger, for to an address that is nobody's he would be one, too.
 *
 * How many requests have come is in memory, and gone with an account that nobody
 * uses: then what may wait for him is the bound.
 */
#include "config.h"

#include "module/module.h"

#define WINDOW_US (60 * 60 * US_PER_S)

enum taken { TAKEN_OF_ALL, TAKEN_LOCAL, TAKEN_OF_NONE };

struct strangers_conf {
	int messages; /* enum taken */
	int64_t per_sender;
	int64_t requests;
	int64_t share; /* percent of what may wait */
};

static const char *const taken_choices[] = { "all", "local", "none", NULL };

#define OFF(field) offsetof(struct strangers_conf, field)

static const struct option strangers_options[] = {
	{ .name = "messages", .type = OPT_CHOICE, .choices = taken_choices,
		.dflt = "local", .off = OFF(messages),
		.help = "whose messages a user gets that he does not have in his "
			"roster: of all, of those who are on this server, its "
			"components among them, or of none; others come back "
			"with <policy-violation/>" },
	{ .name = "requests_per_sender", .type = OPT_INT, .dflt = "20",
		.min = "1", .max = "10000", .off = OFF(per_sender),
		.help = "how many requests for presence one who is in no roster "
			"may send in an hour, to all users of a shard; further "
			"ones are dropped" },
	{ .name = "requests", .type = OPT_INT, .dflt = "60", .min = "1",
		.max = "10000", .off = OFF(requests),
		.help = "how many of these one user gets in an hour, of all" },
	{ .name = "requests_share", .type = OPT_INT, .dflt = "50", .min = "1",
		.max = "100", .off = OFF(share),
		.help = "percent of limits: pending_subscriptions that may wait "
			"for him of these; the rest is for contacts" },
	{ .name = NULL },
};

/* In the slot of an account of which strangers have asked for something. */
struct asked {
	int64_t since_us;
	int64_t n;
};

/* In that of a shard: how often each sender has. */
static void
on_shard_done(struct shard *sh, void *arg)
{
	(void)sh;
	rate_done(arg);
}

/* Who is in a room with the user sees that he is there, blocked or not; what he says
 * there is not answered (blocking_guard.c). */
static bool
is_stranger(struct account *acc, struct jid who)
{
	return (account_blocks(acc, who) || account_is_stranger(acc, who)) &&
		hook_run(account_host(acc), HOOK_ACCOUNT_KNOWS,
			&(struct account_knows){ acc, who }) != HOOK_HANDLED;
}

/* --- messages ------------------------------------------------------------------------- */

/* An error says what has become of something that the user has sent. */
static bool
message_is_taken(const struct strangers_conf *conf, struct account *acc,
	const struct stanza *st)
{
	if (conf->messages == TAKEN_OF_ALL || st->type == MESSAGE_ERROR)
		return true;
	if (conf->messages == TAKEN_LOCAL &&
		shard_host(acc->e.shard, jid_domain(st->from)) != NULL)
		return true;
	return !is_stranger(acc, st->from);
}

/* A headline is not answered (RFC 6121 §8.5.2.1.1). */
static void
message_refuse(struct account *acc, struct stanza *st)
{
	acc->e.shard->stats.refused++;
	if (st->type == MESSAGE_HEADLINE)
		stanza_free(st);
	else
		router_bounce(acc->e.shard, st, COND_POLICY_VIOLATION,
			"The recipient takes no messages of strangers");
}

/* --- requests for presence --------------------------------------------------------------- */

/* A key of eight bytes, since addresses are as long as a sender likes. */
static bool
sender_may(struct module_ctx *m, struct shard *sh, struct jid from)
{
	const struct strangers_conf *conf = m->conf;
	struct str bare = jid_bare_str(from);
	uint64_t key = hash_bytes(&sh->server->hash_key, bare.p, bare.n);

	return rate_admit(module_shard_state(m, sh),
		(struct str){ (const char *)&key, sizeof(key) },
		conf->per_sender, WINDOW_US, sh->now_us);
}

static bool
has_room(const struct strangers_conf *conf, const struct account *acc)
{
	int64_t most = acc->e.shard->snap->config->limits.pending_subscriptions;
	int64_t n = 0;

	for (uint32_t i = 0; i < acc->roster.n; i++) {
		const struct roster_item *it = roster_at(&acc->roster, i);

		n += !it->listed && (it->state & SUB_PENDING_IN) != 0;
	}
	return n < MAX(most * conf->share / 100, 1);
}

static bool
user_may(struct module_ctx *m, struct account *acc)
{
	const struct strangers_conf *conf = m->conf;
	struct asked *asked = module_entity_state(m, &acc->e);
	int64_t now_us = acc->e.shard->now_us;

	if (asked->n == 0 || now_us - asked->since_us >= WINDOW_US)
		*asked = (struct asked){ .since_us = now_us };
	if (asked->n >= conf->requests)
		return false;
	asked->n++;
	return true;
}

/* Who has asked already, or need not. */
static bool
may_ask(struct account *acc, struct jid who)
{
	uint8_t state = roster_state(&acc->roster, jid_bare_str(who));

	return !is_stranger(acc, who) ||
		(!account_blocks(acc, who) &&
			(state & (SUB_FROM | SUB_PENDING_IN | SUB_APPROVED)) !=
				0);
}

/* Of one who is blocked nothing reaches the user, and what does has room. */
static bool
request_is_taken(struct module_ctx *m, struct account *acc,
	const struct stanza *st)
{
	if (may_ask(acc, st->from))
		return true;
	return sender_may(m, acc->e.shard, st->from) &&
		(!acc->exists || account_blocks(acc, st->from) ||
			(has_room(m->conf, acc) && user_may(m, acc)));
}

/* --- both ------------------------------------------------------------------------------------ */

static enum hook_result
on_receive(struct module_ctx *m, void *arg)
{
	struct account_stanza *in = arg;
	struct account *acc = in->account;

	if (in->st->kind == STANZA_MESSAGE) {
		if (message_is_taken(m->conf, acc, in->st))
			return HOOK_PASS;
		message_refuse(acc, in->st);
	} else {
		if (in->st->type != PRESENCE_SUBSCRIBE ||
			request_is_taken(m, acc, in->st))
			return HOOK_PASS;
		acc->e.shard->stats.refused++;
		stanza_free(in->st);
	}
	return HOOK_HANDLED;
}

static const struct hook_handler strangers_hooks[] = {
	{ HOOK_ACCOUNT_RECEIVE, HOOK_GUARD, on_receive },
	{ .fn = NULL },
};

MODULE(strangers) = {
	.api = MODULE_API,
	.name = "strangers",
	.summary = "limit what strangers may send to users",
	.options = strangers_options,
	.conf_size = sizeof(struct strangers_conf),
	.hooks = strangers_hooks,
	.shard_state = sizeof(struct rate),
	.shard_done = on_shard_done,
	.entity_state = sizeof(struct asked),
};
