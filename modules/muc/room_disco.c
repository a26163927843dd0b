/*
 * room_disco.c - what a room tells of itself (XEP-0045 §6.4, §7.12, §18.1.1).
 *
 * Owner shard of the room.  Who is in it is told to nobody who is not (§6.5).
 */
#include "config.h"

#include "room.h"

#define NODE_NICK "x-roomuser-item"
#define NODE_TRAFFIC NS_MUC "#traffic"

static void
add_identity(const struct disco_query *q, struct str name)
{
	struct elem *e =
		elem_add(q->arena, q->query, NS_DISCO_INFO, "identity");

	elem_set_attr(q->arena, e, "category", STR("conference"));
	elem_set_attr(q->arena, e, "type", STR("text"));
	elem_set_attr(q->arena, e, "name", name);
}

static void
add_feature(const struct disco_query *q, const char *var)
{
	elem_set_attr(q->arena,
		elem_add(q->arena, q->query, NS_DISCO_INFO, "feature"), "var",
		str_c(var));
}

static void
add_field(const struct disco_query *q, struct elem *form, const char *var,
	struct str value)
{
	form_add_value(q->arena,
		form_add_field(q->arena, form, var, "text-single", NULL), value);
}

/* §16.5.4 */
static void
add_info(const struct room *r, const struct disco_query *q)
{
	struct elem *form = form_add(q->arena, q->query, "result",
		NS_MUC_ROOMINFO);

	room_config_info(&r->config, q->arena, form);
	room_vcard_info(r, q->arena, form);
	add_field(q, form, "muc#roominfo_occupants",
		arena_printf(q->arena, "%zu", r->people.n));
	if (r->subject.text != NULL && room_is_open_to(r, q->from)) /* §14.4 */
		add_field(q, form, "muc#roominfo_subject", str_c(r->subject.text));
	form_add_value(q->arena,
		form_add_field(q->arena, form, "muc#roominfo_subjectmod",
			"boolean", NULL),
		r->config.change_subject ? STR("1") : STR("0"));
}

static void
tell_room(const struct room *r, const struct disco_query *q)
{
	add_identity(q, r->config.name != NULL ? str_c(r->config.name) :
						 jid_local(r->e.jid));
	add_feature(q, NS_MUC);
	add_feature(q, NS_MUC "#stable_id");
	add_feature(q, NS_REGISTER);
	add_feature(q, NS_MUC_REGISTER); /* §16.3 */
	add_feature(q, NS_MUC_ROOMCONFIG);
	add_feature(q, NS_MUC_ROOMINFO);
	add_feature(q, NS_MUC_REQUEST);
	add_feature(q, NS_VCARD); /* XEP-0486 §3.3 */
	add_feature(q, NS_MUC "#self-ping-optimization"); /* XEP-0410 §3.3 */
	add_feature(q, NS_OCCUPANT_ID);
	add_feature(q, NS_SID);
	room_retract_features(r, q->arena, q->query);
	room_config_features(&r->config, q->arena, q->query);
	room_archive_features(r, q->arena, q->query);
	add_info(r, q);
}

/* §7.12: what whoever asks has reserved. */
static void
tell_nick(const struct room *r, struct disco_query *q)
{
	const struct room_member *one = members_find(&r->members, q->from);

	q->node_known = true;
	if (one != NULL && one->nick != NULL)
		add_identity(q, str_c(one->nick));
}

enum hook_result
muc_on_disco_info(struct module_ctx *m, void *arg)
{
	struct disco_query *q = arg;
	const struct room *r;

	(void)m;
	if (q->entity == NULL || q->entity->class != &muc_room_class)
		return HOOK_PASS;
	r = room_of(q->entity);
	if (q->node.p == NULL) {
		tell_room(r, q);
	} else if (str_is(q->node, NODE_NICK)) {
		tell_nick(r, q);
	} else if (str_is(q->node, NODE_TRAFFIC)) {
		/* §18.1.1: nothing is kept back */
		iq_error(q->iq, COND_SERVICE_UNAVAILABLE, NULL);
		return HOOK_HANDLED;
	}
	return HOOK_PASS;
}
