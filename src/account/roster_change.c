/*
 * roster_change.c - one change of a roster, and what follows from it.
 *
 * Everything that is sent is made when the change is, so that it shows the
 * state of that moment whatever changes until its turn comes.
 */
#include "config.h"

#include "account/roster_change.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/tag.h"
#include "xmpp/ns.h"
#include "xmpp/subscription.h"
#include "core/host.h"
#include "core/iq.h"
#include "core/receipt.h"
#include "core/router.h"
#include "core/wire.h"
#include "account/account_int.h"
#include "account/block_list.h"
#include "account/contacts.h"
#include "account/session.h"

struct roster_change {
	uint32_t tag;
	struct account *account; /* valid until roster_change_commit() */
	struct shard *shard;
	struct iq *iq;
	struct store_tx *tx; /* NULL: nothing is stored */
	struct stanza *push; /* NULL: nothing that shows has changed */
	struct stanza *deliver;
	struct stanza *request; /* to be refused when it fails */
	enum roster_audience audience;
	struct stanza_queue send;
	struct arena *arena;
	struct jid contact;
};

struct roster_change *
roster_change_new(struct account *acc, struct jid contact)
{
	struct arena *a = arena_new();
	struct roster_change *ch = arena_zalloc(a, sizeof(*ch));

	ASSERT_OWNER(&acc->e);
	TAG_SET(ch, "rstr");
	ch->arena = a;
	ch->account = acc;
	ch->shard = acc->e.shard;
	ch->contact = jid_copy(a, jid_bare(contact));
	STAILQ_INIT(&ch->send);
	return ch;
}

static void
change_free(struct roster_change *ch)
{
	struct stanza *st;

	while ((st = STAILQ_FIRST(&ch->send)) != NULL) {
		STAILQ_REMOVE_HEAD(&ch->send, link);
		stanza_free(st);
	}
	stanza_free(ch->push);
	stanza_free(ch->deliver);
	stanza_free(ch->request);
	TAG_CLEAR(ch);
	arena_free(ch->arena);
}

struct store_tx *
roster_change_tx(struct roster_change *ch)
{
	if (ch->tx == NULL)
		ch->tx = store_tx_new();
	return ch->tx;
}

/* --- the push ------------------------------------------------------------------ */

/* RFC 6121 §2.1.6, §2.6.3.  The version tells pushes apart, and so makes their
 * id. */
static struct stanza *
push_new(const struct account *acc, struct jid contact)
{
	const struct roster_item *it =
		roster_find(&acc->roster, jid_str(contact));
	struct jid nobody = { .text = NULL };
	struct stanza *st = stanza_new(IQ_SET, nobody, nobody, STR_NONE);
	struct elem *query, *item;
	struct str ver = arena_printf(st->arena, "%llu",
		(unsigned long long)acc->roster.version);

	stanza_set_id(st,
		arena_printf(st->arena, "push-%.*s", STR_ARG(ver)));
	query = elem_add(st->arena, st->root, NS_ROSTER, "query");
	elem_set_attr(st->arena, query, "ver", ver);
	if (it != NULL && it->listed) {
		roster_item_elem(st->arena, query, it);
		return st;
	}
	item = elem_add(st->arena, query, NS_ROSTER, "item");
	elem_set_attr(st->arena, item, "jid", jid_str(contact));
	elem_set_attr(st->arena, item, "subscription", STR("remove"));
	return st;
}

static void
change_save(struct roster_change *ch, bool shows)
{
	struct account *acc = ch->account;

	roster_save(acc, jid_str(ch->contact), roster_change_tx(ch));
	if (!shows)
		return;
	stanza_free(ch->push);
	ch->push = push_new(acc, ch->contact);
}

/* --- making it -------------------------------------------------------------------- */

void
roster_change_item(struct roster_change *ch)
{
	change_save(ch, true);
}

void
roster_change_state(struct roster_change *ch, uint8_t state)
{
	struct roster *r = &ch->account->roster;
	uint8_t before = roster_state(r, jid_str(ch->contact));

	if (state == before)
		return;
	roster_set_state(r, ch->contact, state);
	contacts_changed(ch->account, ch->contact);
	change_save(ch, ((state ^ before) & ~SUB_PENDING_IN) != 0);
}

bool
roster_change_remove(struct roster_change *ch)
{
	struct roster *r = &ch->account->roster;
	const struct roster_item *it = roster_find(r, jid_str(ch->contact));
	uint8_t pending;

	if (it == NULL || !it->listed)
		return false;
	pending = it->state & SUB_PENDING_IN;
	roster_remove(r, jid_str(ch->contact));
	roster_set_state(r, ch->contact, pending);
	contacts_changed(ch->account, ch->contact);
	change_save(ch, true);
	return true;
}

void
roster_change_deliver(struct roster_change *ch, struct stanza *st,
	enum roster_audience audience)
{
	stanza_free(ch->deliver);
	ch->deliver = st;
	ch->audience = audience;
}

void
roster_change_send(struct roster_change *ch, struct stanza *st)
{
	STAILQ_INSERT_TAIL(&ch->send, st, link);
}

void
roster_change_request(struct roster_change *ch, const struct stanza *st,
	struct jid from, struct jid to)
{
	ch->request = stanza_new(st->type, from, to, st->id);
	receipt_share(ch->request, st);
}

void
roster_change_tell(struct roster_change *ch, enum stanza_type type)
{
	roster_change_send(ch, stanza_new(type, ch->account->e.jid,
				       ch->contact, STR_NONE));
}

/* RFC 6121 §4.6.1: a subscription that ends comes before presence that was sent
 * directly, of which handlers know. */
static void
hide_from(struct session *s, struct jid contact)
{
	struct session_hidden hidden = { .session = s, .from = contact };

	hook_run(account_host(s->account), HOOK_SESSION_HIDDEN, &hidden);
}

void
roster_change_presence(struct roster_change *ch, bool available)
{
	if (account_blocks(ch->account, ch->contact))
		return; /* and shows nobody */
	for (struct session *s = ch->account->sessions; s != NULL;
		s = s->next) {
		struct stanza *st;

		if (!session_is_visible(s)) {
			if (!available)
				hide_from(s, ch->contact);
			continue;
		}
		if (available) {
			st = session_presence(s);
			stanza_set_to(st, ch->contact);
		} else {
			st = stanza_new(PRESENCE_UNAVAILABLE, session_jid(s),
				ch->contact, STR_NONE);
		}
		roster_change_send(ch, st);
	}
}

/* --- its effects ------------------------------------------------------------------- */

static void
change_deliver(struct account *acc, struct roster_change *ch)
{
	struct wire *wire = NULL;
	struct session *s, *next;

	for (s = acc->sessions; s != NULL; s = next) {
		next = s->next;
		if (ch->audience == AUDIENCE_INTERESTED ?
				s->interested :
				session_is_available(s))
			session_write_shared(s, ch->deliver, &wire,
				jid_str(acc->e.jid));
	}
	wire_unref(wire);
}

static void
change_push(struct account *acc, struct roster_change *ch)
{
	struct wire *wire = NULL;
	struct session *s, *next;

	for (s = acc->sessions; s != NULL; s = next) {
		next = s->next;
		if (s->interested)
			session_write_shared(s, ch->push, &wire,
				jid_str(session_jid(s)));
	}
	wire_unref(wire);
}

static void
change_take_effect(struct account *acc, struct roster_change *ch)
{
	struct stanza *st;

	if (ch->deliver != NULL)
		change_deliver(acc, ch);
	if (ch->push != NULL) {
		change_push(acc, ch);
		hook_run(account_host(acc), HOOK_ROSTER_PUSHED,
			&(struct roster_push){ acc, ch->push });
	}
	while ((st = STAILQ_FIRST(&ch->send)) != NULL) {
		STAILQ_REMOVE_HEAD(&ch->send, link);
		router_send(ch->shard, st);
	}
	if (ch->iq != NULL)
		iq_result(ch->iq, NULL);
}

/* Nobody else was told, and the account is read anew (account_line.c). */
static void
change_failed(struct roster_change *ch, const struct err *err)
{
	enum stanza_cond cond = err != NULL ? stanza_cond_of(err->code) :
					      COND_INTERNAL_SERVER_ERROR;

	if (ch->iq != NULL)
		iq_error(ch->iq, cond, NULL);
	if (ch->request != NULL)
		router_bounce(ch->shard, ch->request, cond, NULL);
	ch->request = NULL;
}

static void
change_log(struct account *acc, const struct roster_change *ch,
	const struct err *err)
{
	if (log_limit_ok(&ch->shard->storage, LOG_ROSTER))
		log_error(LOG_ROSTER, LOG_NOBODY,
			"a change of a roster cannot be stored account=%.*s contact=%.*s reason=\"%s\"",
			STR_ARG(jid_str(acc->e.jid)),
			STR_ARG(jid_str(ch->contact)), err->text);
}

static void
on_change_turn(struct account *acc, const struct err *err, void *arg)
{
	struct roster_change *ch = arg;

	TAG_CHECK(ch, "rstr");
	if (acc != NULL && err != NULL && err->code != ERR_DISK)
		change_log(acc, ch, err);
	if (acc != NULL && err == NULL)
		change_take_effect(acc, ch);
	else
		change_failed(ch, err);
	change_free(ch);
}

static size_t
change_bytes(const struct roster_change *ch)
{
	const struct stanza *all[] = { ch->push, ch->deliver, ch->request };
	size_t bytes = arena_bytes(ch->arena);
	const struct stanza *st;

	for (size_t i = 0; i < COUNT(all); i++)
		bytes += all[i] != NULL ? stanza_bytes(all[i]) : 0;
	STAILQ_FOREACH (st, &ch->send, link)
		bytes += stanza_bytes(st);
	return bytes;
}

void
roster_change_commit(struct roster_change *ch, struct iq *iq)
{
	struct account *acc = ch->account;

	ch->account = NULL;
	ch->iq = iq;
	/* nothing to store, nothing to wait for */
	if (ch->tx == NULL && iq == NULL && account_line_is_empty(acc))
		on_change_turn(acc, NULL, ch);
	else
		account_turn(acc, ch->tx, change_bytes(ch), on_change_turn, ch);
}
