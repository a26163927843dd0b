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

/* From now on they hear nothing of any session, be it that it goes; and of those that
 * come nothing at all. */
static void
shown_find(struct blocking_change *ch, const struct account *acc)
{
	struct arena *a = ch->iq->st->arena;

	if (!ch->on || ch->whom.n == 0)
		return;
	for (const struct session *s = acc->sessions; s != NULL; s = s->next)
		if (session_is_visible(s))
			*vec_push_in(a, &ch->shown) = jid_copy(a, session_jid(s));
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
	shown_find(ch, acc);
}

/* Whose session has asked for the change rests while too much of what it says is on its
 * way, as for a broadcast. */
static struct jid
asker_of(const struct blocking_change *ch, const struct account *acc)
{
	struct jid from = ch->iq->st->from, nobody = { .text = NULL };

	return jid_eq_bare(from, acc->e.jid) ? from : nobody;
}

/* One row may mean a whole roster: so it is told as all contacts are. */
static void
show_gone(const struct blocking_change *ch, const struct account *acc,
	struct audience *to)
{
	const struct jid nobody = { .text = NULL };

	for (uint32_t i = 0; i < ch->shown.n; i++)
		audience_send(to,
			stanza_new(PRESENCE_UNAVAILABLE, ch->shown.p[i], nobody,
				STR_NONE),
			SUB_FROM, NULL, asker_of(ch, acc));
}

static void
show_there(const struct blocking_change *ch, const struct account *acc,
	struct audience *to)
{
	for (const struct session *s = acc->sessions; s != NULL; s = s->next)
		if (session_is_visible(s))
			audience_send(to, session_presence(s), SUB_FROM, NULL,
				asker_of(ch, acc));
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

/* Who does not see the account any more since the request came was told that, and
 * not that it has gone.  Who was to see it may have been blocked again. */
static bool
is_shown(const struct blocking_change *ch, const struct account *acc,
	const struct blocking_whom *whom)
{
	if (ch->on)
		return whom->sees;
	return account_shows_presence_to(acc, whom->jid);
}

static bool
is_asked(const struct account *acc, struct jid who)
{
	return (state_with(acc, who) & SUB_TO) != 0 && jid_is_bare(who) &&
		!account_blocks(acc, who) && account_probes(acc);
}

void
blocking_tell(const struct blocking_change *ch, struct account *acc)
{
	struct audience *to = audience_new(acc->e.shard, acc->e.hash);

	for (uint32_t i = 0; i < ch->whom.n; i++)
		if (is_shown(ch, acc, &ch->whom.p[i]))
			(void)audience_join(to, ch->whom.p[i].jid, SUB_FROM);
	(ch->on ? show_gone : show_there)(ch, acc, to);
	audience_free(to);
	for (uint32_t i = 0; i < ch->whom.n && !ch->on; i++)
		if (is_asked(acc, ch->whom.p[i].jid))
			ask(acc, ch->whom.p[i].jid);
	hook_run(account_host(acc), HOOK_ACCOUNT_BLOCK,
		&(struct account_block){ acc, &ch->changed, ch->on });
}
