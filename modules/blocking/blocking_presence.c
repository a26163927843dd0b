/*
 * blocking_presence.c - who is blocked sees the account go, and who is not any more
 * sees it come, as far as he may (XEP-0191 §3.3, §3.4); the account sees him come,
 * too.
 *
 * Contacts are told here.  Those to whom presence was sent directly modules/presence.c
 * tells, who knows them (HOOK_ACCOUNT_BLOCK).
 */
#include "config.h"

#include "blocking.h"

static bool
lists_but(const struct block_list *list, const struct block_list *but,
	struct jid jid)
{
	return block_list_lists(list, jid) && !block_list_lists(but, jid);
}

/* By another row than those that are new: then he has seen it go, and would learn
 * that somebody is there. */
static bool
was_blocked(const struct blocking_change *ch, const struct account *acc,
	struct jid who)
{
	const struct block_list *list = acc->blocked;

	return lists_but(list, &ch->changed, who) ||
		lists_but(list, &ch->changed, jid_bare(who)) ||
		lists_but(list, &ch->changed, jid_trusted(jid_domain(who)));
}

static uint8_t
state_with(const struct account *acc, struct jid who)
{
	return roster_state(&acc->roster, jid_bare_str(who));
}

static void
whom_add(struct blocking_change *ch, const struct account *acc, struct jid who)
{
	struct arena *a = ch->iq->st->arena;

	if (ch->on ? !was_blocked(ch, acc, who) : !account_blocks(acc, who))
		*vec_push_in(a, &ch->whom) = (struct blocking_whom){
			jid_copy(a, who),
			(state_with(acc, who) & SUB_FROM) != 0,
		};
}

void
blocking_find_whom(struct blocking_change *ch, const struct account *acc)
{
	for (uint32_t i = 0; i < acc->roster.n; i++) {
		const struct roster_item *it = roster_at(&acc->roster, i);
		struct jid who = roster_item_jid(it);

		if ((it->state & (SUB_FROM | SUB_TO)) != 0 &&
			block_list_matches(&ch->changed, who))
			whom_add(ch, acc, who);
	}
	/* one resource of a contact */
	for (uint32_t i = 0; i < ch->changed.rows.n; i++) {
		struct jid who = block_list_row(&ch->changed, i);

		if (!jid_is_bare(who) && (state_with(acc, who) & SUB_FROM) != 0)
			whom_add(ch, acc, who);
	}
}

static void
show(struct account *acc, struct session *s, struct jid to, bool available)
{
	struct stanza *st = available ?
		session_presence(s) :
		stanza_new(PRESENCE_UNAVAILABLE, session_jid(s), to, STR_NONE);

	stanza_set_to(st, to);
	router_send(acc->e.shard, st);
}

/* §3.4 says nothing of it, but what they have said meanwhile has not come through. */
static void
ask(struct account *acc, struct jid who)
{
	char id[RAND_ID_SIZE];

	router_send(acc->e.shard,
		stanza_new(PRESENCE_PROBE, acc->e.jid, who,
			rand_id(acc->e.shard->rand, id)));
}

static void
show_all(struct account *acc, struct jid to, bool available)
{
	for (struct session *s = acc->sessions; s != NULL; s = s->next)
		if (session_is_visible(s))
			show(acc, s, to, available);
}

/* Who does not see the account any more since the request came was told that, and
 * not that it has gone. */
static void
tell_blocked(const struct blocking_whom *whom, struct account *acc)
{
	if (whom->sees)
		show_all(acc, whom->jid, false);
}

/* Another request may have blocked him again. */
static void
tell_unblocked(const struct blocking_whom *whom, struct account *acc)
{
	uint8_t state = state_with(acc, whom->jid);

	if (account_blocks(acc, whom->jid))
		return;
	if ((state & SUB_FROM) != 0)
		show_all(acc, whom->jid, true);
	if ((state & SUB_TO) != 0 && jid_is_bare(whom->jid) &&
		account_probes(acc))
		ask(acc, whom->jid);
}

void
blocking_tell(const struct blocking_change *ch, struct account *acc)
{
	for (uint32_t i = 0; i < ch->whom.n; i++) {
		if (ch->on)
			tell_blocked(&ch->whom.p[i], acc);
		else
			tell_unblocked(&ch->whom.p[i], acc);
	}
	hook_run(account_host(acc), HOOK_ACCOUNT_BLOCK,
		&(struct account_block){ acc, &ch->changed, ch->on });
}
