/*
 * blocking_report.c - who blocks somebody can say why, for those who run the service
 * (XEP-0377): a line of the log, and a hook for who wants more.
 *
 * Nothing of it leaves the server: what is to be forwarded, and to whom, the element
 * says, and a handler of the hook may heed (§5).
 */
#include "config.h"

#include "blocking.h"

#define REASONS "urn:xmpp:reporting:"
#define TEXT_SHOWN 256

static bool
is_reason(struct str reason)
{
	return str_is(reason, REASONS "spam") ||
		str_is(reason, REASONS "abuse");
}

void
blocking_report_read(struct blocking_change *ch, const struct elem *item,
	struct jid who)
{
	struct arena *a = ch->iq->st->arena;
	const struct elem *e = elem_child(item, NS_REPORTING, "report");
	const struct elem *text;
	struct account_report r;

	if (e == NULL || !is_reason(elem_attr(e, "reason")))
		return;
	text = elem_child(e, NS_REPORTING, "text");
	r = (struct account_report){
		.who = who,
		.reason = elem_attr(e, "reason"),
		.text = text != NULL ? str_trim(elem_text(a, text)) : STR_NONE,
		.report = e,
	};
	elem_each_child(e, id)
		r.n_ids += elem_is(id, NS_SID, "stanza-id");
	*vec_push_in(a, &ch->reports) = r;
}

/* At a character. */
static struct str
text_shown(struct str text)
{
	if (text.n <= TEXT_SHOWN)
		return text;
	text.n = TEXT_SHOWN;
	while (text.n != 0 && (text.p[text.n] & 0xc0) == 0x80)
		text.n--;
	return text;
}

/* It is written for who reads the log. */
static void
report_log(struct module_ctx *m, const struct account *acc,
	const struct account_report *r)
{
	struct blocking_shard *shard = module_shard_state(m, acc->e.shard);
	struct str text = text_shown(r->text);

	if (log_limit_ok(&shard->reports, LOG_ROUTER))
		log_info(LOG_ROUTER, LOG_NOBODY,
			"an address was reported by=%.*s who=\"%.*s\" reason=%s messages=%zu text=\"%.*s\"",
			STR_ARG(jid_str(acc->e.jid)), STR_ARG(jid_str(r->who)),
			str_is(r->reason, REASONS "spam") ? "spam" : "abuse",
			r->n_ids, STR_ARG(text));
}

void
blocking_report_all(struct module_ctx *m, const struct blocking_change *ch,
	struct account *acc)
{
	for (uint32_t i = 0; i < ch->reports.n; i++) {
		struct account_report *r = &ch->reports.p[i];

		r->account = acc;
		report_log(m, acc, r);
		hook_run(account_host(acc), HOOK_ACCOUNT_REPORT, r);
	}
}
