/*
 * session_save.c - a session that sleeps, as one element:
 *
 *   <session xmlns='urn:antiphon:session' version='1' stop='Zk3...' id='7'
 *           resource='phone' bound='1795219200000000' interested='1'
 *           copies='1' again='1' sleep='600000000' keeper='sm' keeps='1' acked='17'
 *           sent='19' counts='1' handled='12'
 *           priority='0' seen='1795219201000000' invisible='1' probes='1'>
 *     <presence xmlns='jabber:client'>...</presence>
 *     <state of='presence'>...</state>
 *     <item xmlns='jabber:client' at='1795219202000000' to='...' kept='3'>
 *       <message>...</message>
 *     </item>
 *     <item xmlns='jabber:client' at='1795219203000000' to='...' copy='1'
 *             of='1'>...</item>
 *   </session>
 *
 * Times are in microseconds, of the wall clock; of what is no or 0, the
 * attribute is missing.  stop says at which stop it was saved, and keeper which
 * module had it sleep.  Of the items, the first sent - acked were written to
 * the client, which has not acknowledged them, and the others wait.  Both are
 * copied as they lie there, without being parsed; kept says by which number a
 * module keeps one until it is acknowledged.
 *
 * Owner shard of the account.
 */
#include "config.h"

#include "account/session_save.h"

#include <assert.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "xml/elem.h"
#include "xml/writer.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "conf/conf.h"
#include "core/host.h"
#include "core/module_ctx.h"
#include "core/shard.h"
#include "core/slot.h"
#include "core/wire.h"
#include "account/account_int.h"
#include "account/session.h"
#include "account/session_bulk.h"
#include "account/session_out.h"
#include "account/session_quiet.h"

#define SAVED_VERSION "1"

/* --- writing -------------------------------------------------------------- */

static void
put_number(struct buf *out, const char *name, int64_t n)
{
	if (n != 0)
		buf_printf(out, " %s='%lld'", name, (long long)n);
}

static void
put_text(struct buf *out, const char *name, struct str text)
{
	if (text.p == NULL)
		return;
	buf_printf(out, " %s='", name);
	xml_escape(out, text, true);
	buf_add_c(out, "'");
}

static void
put_item(struct buf *out, const struct out_item *item)
{
	const struct wire *w = item->wire;

	buf_add_c(out, "<item xmlns='" NS_CLIENT "'");
	put_number(out, "at", w->wall_us);
	put_number(out, "taken", w->taken);
	put_number(out, "shared", w->one_account && (w->taken || w->refs > 1));
	put_number(out, "copy", w->copy);
	put_number(out, "of", w->of != NULL && !w->of->taken);
	put_number(out, "kept", item->kept);
	put_text(out, "to", out_item_to(item));
	buf_add_c(out, ">");
	wire_write(w, STR_NONE, out);
	buf_add_c(out, "</item>");
}

static void
put_presence(struct buf *out, const struct session *s)
{
	struct stanza *st = session_presence(s);

	elem_set_attr(st->arena, st->root, "from", STR_NONE);
	xml_write(out, st->root, STR(NS_SESSION_SAVED));
	stanza_free(st);
}

static void
put_states(struct buf *out, struct session *s)
{
	struct arena *a = arena_new();
	struct elem *states = elem_new(a, NS_SESSION_SAVED, "states");

	slot_save_all(s->slots, s, a, states, NS_SESSION_SAVED, "state");
	elem_each(states, e)
		xml_write(out, e, STR(NS_SESSION_SAVED));
	arena_free(a);
}

void
session_save(struct session *s, struct str stop, struct buf *out)
{
	const struct session_out *o = s->out;
	const struct out_item *item;

	assert(s->state == SESSION_ASLEEP);
	session_bulk_flush(s);
	session_quiet_end(s);
	buf_add_c(out, "<session xmlns='" NS_SESSION_SAVED "'"
		" version='" SAVED_VERSION "'");
	put_text(out, "stop", stop);
	put_number(out, "id", s->id);
	put_text(out, "resource", session_resource(s));
	put_number(out, "bound", s->bound_us);
	put_number(out, "interested", s->interested);
	put_number(out, "copies", s->copied);
	put_number(out, "again", s->again);
	put_number(out, "sleep", o->sleep_us);
	put_text(out, "keeper",
		o->keeper != NULL ? str_c(o->keeper) : STR_NONE);
	put_number(out, "keeps", o->keeps);
	put_number(out, "acked", o->acked);
	put_number(out, "sent", o->sent);
	put_number(out, "counts", s->counts);
	put_number(out, "handled", session_handled(s));
	put_number(out, "priority", s->priority);
	put_number(out, "seen", s->presence_us);
	put_number(out, "invisible", s->invisible);
	put_number(out, "probes", s->probes);
	buf_add_c(out, ">");
	if (session_is_available(s))
		put_presence(out, s);
	put_states(out, s);
	STAILQ_FOREACH (item, &o->queue, link)
		put_item(out, item);
	buf_add_c(out, "</session>");
}

/* --- reading -------------------------------------------------------------- */

/* false: it is there, and no number from min to max. */
static bool
get_number(const struct elem *e, const char *name, int64_t min, int64_t max,
	int64_t *out)
{
	struct str text = elem_attr(e, name);
	long long n = 0;

	if (text.p != NULL && !str_to_int(text, min, max, &n))
		return false;
	*out = n;
	return true;
}

static bool
get_flag(const struct elem *e, const char *name, bool *out)
{
	int64_t n;
	bool ok = get_number(e, name, 0, 1, &n);

	*out = ok && n != 0;
	return ok;
}

/* What the attributes of a session say. */
struct saved {
	struct str resource;
	int64_t id, bound, sleep, acked, sent, handled, priority, seen;
	bool interested, copies, again, keeps, counts, invisible, probes;
};

static bool
saved_read(struct saved *v, struct arena *a, const struct elem *e,
	struct str stop, struct err *err)
{
	struct str resource;

	if (e == NULL)
		return err_set(err, ERR_INVALID, "it cannot be read");
	resource = elem_attr(e, "resource");
	if (!elem_is(e, NS_SESSION_SAVED, "session"))
		return err_set(err, ERR_INVALID, "it is no session");
	if (!str_is(elem_attr(e, "version"), SAVED_VERSION))
		return err_set(err, ERR_INVALID, "its version is unknown");
	if (!str_eq(elem_attr(e, "stop"), stop))
		return err_set(err, ERR_INVALID, "it is of another stop");
	if (!jid_prep_resource(&v->resource, a, resource, NULL) ||
		!str_eq(v->resource, resource))
		return err_set(err, ERR_INVALID, "its resource is none");
	if (get_number(e, "id", 0, UINT32_MAX, &v->id) &&
		get_number(e, "bound", 0, INT64_MAX, &v->bound) &&
		get_flag(e, "interested", &v->interested) &&
		get_flag(e, "copies", &v->copies) &&
		get_flag(e, "again", &v->again) &&
		get_number(e, "sleep", 0, INT64_MAX / 2, &v->sleep) &&
		get_flag(e, "keeps", &v->keeps) &&
		get_number(e, "acked", 0, UINT32_MAX, &v->acked) &&
		get_number(e, "sent", 0, UINT32_MAX, &v->sent) &&
		get_flag(e, "counts", &v->counts) &&
		get_number(e, "handled", 0, UINT32_MAX, &v->handled) &&
		get_number(e, "priority", INT8_MIN, INT8_MAX, &v->priority) &&
		get_number(e, "seen", 0, INT64_MAX, &v->seen) &&
		get_flag(e, "invisible", &v->invisible) &&
		get_flag(e, "probes", &v->probes))
		return true;
	return err_set(err, ERR_INVALID, "one of its numbers is none");
}

/* A stanza of its own of e, NULL when it is none. */
static struct stanza *
stanza_of(const struct elem *e)
{
	struct arena *a = arena_new();
	enum stanza_cond cond;
	struct stanza *st =
		e != NULL ? stanza_from_elem(a, elem_copy(a, e), &cond) : NULL;

	if (st == NULL)
		arena_free(a);
	return st;
}

static bool
restore_presence(struct session *s, const struct elem *e, const struct saved *v,
	struct err *err)
{
	struct stanza *st = stanza_of(e);
	bool ok = st != NULL && st->type == PRESENCE_AVAILABLE &&
		!session_is_available(s);

	if (ok)
		session_take_presence(s, st, (int8_t)v->priority, v->seen);
	stanza_free(st);
	return ok || err_set(err, ERR_INVALID, "its presence is none");
}

static bool
restore_state(struct session *s, const struct elem *e, struct err *err)
{
	const struct host *host = account_host(s->account);

	for (size_t i = 0; host != NULL && i < host->n_modules; i++) {
		const struct slot_kind *kind =
			&host->modules[i].entry->session_slot;

		if (kind->restore == NULL ||
			!str_is(elem_attr(e, "of"), kind->name))
			continue;
		return kind->restore(kind, s, slot_get(&s->slots, kind), e) ||
			err_set(err, ERR_INVALID,
				"the state of the module %s cannot be read",
				kind->name);
	}
	return true; /* it is not in force any more */
}

/* For a session of the account, or for all of it. */
static bool
is_own(const struct session *s, struct str to)
{
	struct arena *a = arena_new();
	struct jid jid;
	bool own = to.p == NULL || (jid_parse(&jid, a, to, NULL) &&
		jid_eq_bare(jid, s->account->e.jid));

	arena_free(a);
	return own;
}

static bool
restore_item(struct session *s, const struct elem *e, bool written,
	struct err *err)
{
	struct stanza *st = stanza_of(elem_first_child(e));
	struct out_saved saved = { .to = elem_attr(e, "to"),
		.written = written };
	bool copy = false;
	bool ok = st != NULL && is_own(s, saved.to) &&
		get_number(e, "at", 0, INT64_MAX, &saved.at_us) &&
		get_flag(e, "taken", &saved.taken) &&
		get_flag(e, "shared", &saved.shared) &&
		get_flag(e, "copy", &copy) && get_flag(e, "of", &saved.of) &&
		get_number(e, "kept", 0, INT64_MAX, &saved.kept) &&
		(copy ? stanza_is_copy_again(st) : !saved.of);

	if (ok)
		session_out_restore(s, st, &saved);
	stanza_free(st);
	return ok || err_set(err, ERR_INVALID, "a stanza that waits is none");
}

static bool
restore_children(struct session *s, const struct elem *e, const struct saved *v,
	struct err *err)
{
	uint32_t written = (uint32_t)v->sent - (uint32_t)v->acked, n = 0;

	elem_each_child(e, child) {
		bool ok;

		if (elem_is(child, NS_CLIENT, "presence"))
			ok = restore_presence(s, child, v, err);
		else if (elem_is(child, NS_SESSION_SAVED, "state"))
			ok = restore_state(s, child, err);
		else if (elem_is(child, NS_CLIENT, "item"))
			ok = restore_item(s, child, n++ < written, err);
		else
			ok = err_set(err, ERR_INVALID,
				"it has a child that is unknown");
		if (!ok)
			return false;
	}
	return session_out_renumber(s, v->keeps, (uint32_t)v->acked,
		       (uint32_t)v->sent) ||
		err_set(err, ERR_INVALID, "its counts do not fit what waits");
}

static bool
has_room(const struct account *acc, struct str resource, struct err *err)
{
	if (!acc->exists || acc->anonymous || acc->removing)
		return err_set(err, ERR_MISSING, "there is no such account");
	if (session_find(acc, resource) != NULL)
		return err_set(err, ERR_CONFLICT, "its resource is bound");
	return true;
}

static bool
is_in_force(const struct host *host, struct str module)
{
	for (size_t i = 0; host != NULL && i < host->n_modules; i++) {
		if (str_is(module, host->modules[i].entry->session_slot.name))
			return true;
	}
	return false;
}

/* Why s, of e, may not sleep on; NULL: it may. */
static const char *
misfit(const struct session *s, const struct elem *e)
{
	const struct account *acc = s->account;
	struct str keeper = elem_attr(e, "keeper");

	if (acc->n_sessions >
		acc->e.shard->snap->config->limits.sessions_per_account)
		return "the account has too many";
	if (keeper.p != NULL && !is_in_force(account_host(acc), keeper))
		return "the module that had it sleep is not in force";
	return NULL;
}

static void
log_dropped(const struct account *acc, const char *why)
{
	log_warn(LOG_SESSION, LOG_NOBODY,
		"a saved session is dropped account=%.*s reason=\"%s\"",
		STR_ARG(jid_str(acc->e.jid)), why);
}

/* As if its time were over: its contacts hear of it, and what it has finds another
 * place. */
static void
end_misfit(struct session *s, const struct elem *e)
{
	const char *why = misfit(s, e);

	if (why == NULL)
		return;
	log_dropped(s->account, why);
	session_out_end_in(s, 0);
}

static struct session *
restore(struct account *acc, struct arena *a, const struct elem *e,
	struct str stop, struct err *err)
{
	struct session *s;
	struct saved v;
	bool ok;

	if (!saved_read(&v, a, e, stop, err) || !has_room(acc, v.resource, err))
		return NULL;
	s = session_enter_asleep(acc, v.resource, v.sleep);
	session_out_keeper(s, elem_attr(e, "keeper"));
	s->id = (uint32_t)v.id;
	s->bound_us = v.bound;
	s->interested = v.interested;
	s->copied = v.copies;
	s->again = v.again;
	s->invisible = v.invisible;
	s->probes = v.probes;
	if (v.counts)
		session_count_input_from(s, (uint32_t)v.handled);
	session_out_restore_begin(s);
	ok = restore_children(s, e, &v, err);
	session_out_restore_end(s);
	if (ok) {
		end_misfit(s, e);
		return s;
	}
	session_free(s);
	entity_check_idle(&acc->e);
	return NULL;
}

struct session *
session_restore(struct account *acc, const struct elem *e, struct str stop)
{
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	struct session *s;

	ASSERT_OWNER(&acc->e);
	s = restore(acc, a, e, stop, &err);
	if (s == NULL)
		log_dropped(acc, err.text);
	arena_free(a);
	return s;
}

/* In no case does it take what comes meanwhile. */
void
session_restore_rest(struct account *acc, struct str resource,
	const struct elem *e)
{
	struct jid nobody = { .text = NULL };
	struct err err = ERR_INIT;
	struct stanza *here;
	struct session *s;

	ASSERT_OWNER(&acc->e);
	if (resource.n == 0 || resource.n > JID_PART_MAX ||
		!has_room(acc, resource, &err))
		return;
	s = session_enter_asleep(acc, resource, 0);
	here = stanza_new(PRESENCE_AVAILABLE, session_jid(s), nobody,
		STR_NONE);
	session_take_presence(s, here, INT8_MIN, 0);
	stanza_free(here);
	if (e == NULL)
		return;
	s->invisible = elem_attr(e, "invisible").p != NULL;
	session_out_restore_begin(s);
	elem_each_child(e, item)
		if (elem_is(item, NS_CLIENT, "item"))
			(void)restore_item(s, item, false, &err);
	session_out_restore_end(s);
}
