/*
 * contact.c - tells how to reach those who run the service: a form in the
 * answer to disco#info at a host (XEP-0157, XEP-0128).
 *
 * Keeps no state; any shard.
 */
#include "config.h"

#include "module/module.h"

#define FORM_TYPE "http://jabber.org/network/serverinfo"

struct contact_conf {
	struct option_list abuse;
	struct option_list admin;
	struct option_list feedback;
	struct option_list sales;
	struct option_list security;
	struct option_list status;
	struct option_list support;
};

#define CONTACT_OPTION(what, whom)                                             \
	{                                                                      \
		.name = #what, .type = OPT_LIST, .item = OPT_TEXT,             \
		.off = offsetof(struct contact_conf, what),                    \
		.help = "URIs of " whom,                                       \
		.example = "[ mailto:" #what "@example.org ]"                  \
	}

static const struct option contact_options[] = {
	CONTACT_OPTION(abuse, "whom to tell about abuse"),
	CONTACT_OPTION(admin, "the administrators"),
	CONTACT_OPTION(feedback, "whom to tell what could be better"),
	CONTACT_OPTION(sales, "those who sell the service"),
	CONTACT_OPTION(security, "whom to tell about security problems"),
	CONTACT_OPTION(status, "pages that show how the service is"),
	CONTACT_OPTION(support, "those who help users"),
	{ .name = NULL },
};

/* XEP-0157 §7 */
static const struct {
	const char *var;
	size_t off; /* of the list in struct contact_conf */
} contact_fields[] = {
	{ "abuse-addresses", offsetof(struct contact_conf, abuse) },
	{ "admin-addresses", offsetof(struct contact_conf, admin) },
	{ "feedback-addresses", offsetof(struct contact_conf, feedback) },
	{ "sales-addresses", offsetof(struct contact_conf, sales) },
	{ "security-addresses", offsetof(struct contact_conf, security) },
	{ "status-addresses", offsetof(struct contact_conf, status) },
	{ "support-addresses", offsetof(struct contact_conf, support) },
};

static const struct option_list *
contact_list(const struct contact_conf *conf, size_t i)
{
	const char *base = (const char *)conf;

	return (const void *)(base + contact_fields[i].off);
}

static bool
contact_is_empty(const struct contact_conf *conf)
{
	for (size_t i = 0; i < COUNT(contact_fields); i++) {
		if (contact_list(conf, i)->n != 0)
			return false;
	}
	return true;
}

static enum hook_result
on_disco_info(struct module_ctx *m, void *arg)
{
	const struct contact_conf *conf = m->conf;
	struct disco_query *q = arg;
	struct elem *form;

	if (q->account != NULL || q->node.p != NULL || contact_is_empty(conf))
		return HOOK_PASS;
	form = form_add(q->arena, q->query, "result", FORM_TYPE);
	for (size_t i = 0; i < COUNT(contact_fields); i++) {
		const struct option_list *list = contact_list(conf, i);
		struct elem *field;

		if (list->n == 0)
			continue;
		/* §7.1: a reader that trusts the type takes one value of a
		 * field without */
		field = form_add_field(q->arena, form, contact_fields[i].var,
			"list-multi", NULL);
		for (size_t j = 0; j < list->n; j++)
			form_add_value(q->arena, field, str_c(list->items[j]));
	}
	return HOOK_PASS;
}

static const struct hook_handler contact_hooks[] = {
	{ HOOK_DISCO_INFO, HOOK_CHANGE, on_disco_info },
	{ .fn = NULL },
};

MODULE(contact) = {
	.api = MODULE_API,
	.name = "contact",
	.summary = "tell how to reach those who run the service",
	.specs = "XEP-0157 1.1.1, XEP-0128 1.0.1",
	.options = contact_options,
	.conf_size = sizeof(struct contact_conf),
	.hooks = contact_hooks,
};
