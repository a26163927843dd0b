/*
 * vcard.c - keeps a vCard for each account, and shows those of hosts
 * (XEP-0054).
 *
 * One value for each account, map "vcard", read when it is asked for.  Anyone
 * may read a card; a card that is not there is answered to others exactly like
 * an account that is not there, and is looked for in both cases (hostile 53).
 */
#include "config.h"

#include "module/module.h"

#define MAP_VCARD "vcard"
#define KEY_CARD "card"

struct vcard_conf {
	uint64_t max_bytes;
	const char *name;
	const char *url;
	const char *description;
};

static const struct option vcard_options[] = {
	{ .name = "max_bytes", .type = OPT_SIZE, .dflt = "256KiB",
		.min = "1KiB", .max = "4MiB",
		.off = offsetof(struct vcard_conf, max_bytes),
		.help = "the largest vCard that a user may keep" },
	{ .name = "name", .type = OPT_TEXT,
		.off = offsetof(struct vcard_conf, name),
		.help = "name in the vCard of the host itself",
		.example = "Example Messaging" },
	{ .name = "url", .type = OPT_TEXT,
		.off = offsetof(struct vcard_conf, url),
		.help = "web page in the vCard of the host itself",
		.example = "https://example.org/" },
	{ .name = "description", .type = OPT_TEXT,
		.off = offsetof(struct vcard_conf, description),
		.help = "description in the vCard of the host itself",
		.example = "Messaging for members of the club" },
	{ .name = NULL },
};

/* --- reading ---------------------------------------------------------------- */

/* XEP-0054 §3.1 lets us choose between an empty card and item-not-found, which
 * clients show to their user as a failure. */
static void
vcard_absent(struct iq *iq)
{
	if (jid_eq_bare(iq->st->from, iq->st->to))
		iq_result(iq, iq_payload(iq, NS_VCARD, "vCard"));
	else
		iq_error(iq, COND_SERVICE_UNAVAILABLE, NULL); /* §3.3 */
}

static void
on_card_read(void *arg, const struct store_answer *answer,
	const struct err *err)
{
	struct iq *iq = arg;
	struct elem *card = NULL;

	if (err != NULL) {
		iq_error(iq, stanza_cond_of(err->code), NULL);
		return;
	}
	if (answer->n != 0)
		card = stored_read(iq->st->arena, answer->entries[0].value);
	if (card != NULL)
		iq_result(iq, card);
	else
		vcard_absent(iq);
}

static enum hook_result
on_vcard_get(struct module_ctx *m, struct iq *iq)
{
	struct store_place at = account_place(iq_account(iq), MAP_VCARD);
	struct shard *sh = iq->shard;

	iq_keep(iq);
	module_get(m, sh, at, STR(KEY_CARD), on_card_read, iq);
	return HOOK_HANDLED;
}

/* --- writing ---------------------------------------------------------------- */

static void
on_card_written(void *arg, bool ok, const struct err *err)
{
	struct iq *iq = arg;

	if (ok)
		iq_result(iq, NULL);
	else
		iq_error(iq, stanza_cond_of(err->code), NULL);
}

static enum hook_result
on_vcard_set(struct module_ctx *m, struct iq *iq)
{
	const struct vcard_conf *conf = m->conf;
	struct account *acc = iq_account(iq);
	struct store_place at = account_place(acc, MAP_VCARD);
	struct shard *sh = iq->shard;
	struct store_tx *tx;
	struct buf card = BUF_INIT;

	if (acc->anonymous) {
		iq_error(iq, COND_NOT_ALLOWED,
			"Nothing is kept for temporary accounts");
		return HOOK_HANDLED;
	}
	stored_write(&card, iq->payload);
	if (card.n > conf->max_bytes) {
		buf_done(&card);
		iq_error(iq, COND_NOT_ACCEPTABLE, "The vCard is too big");
		return HOOK_HANDLED;
	}
	tx = store_tx_new();
	/* not behind a removal that is under way */
	store_tx_require(tx, account_place(acc, MAP_ACCOUNT),
		STR(KEY_CREATED));
	store_tx_set(tx, at, STR(KEY_CARD), buf_str(&card));
	buf_done(&card);
	iq_keep(iq);
	module_commit(m, sh, tx, on_card_written, iq);
	return HOOK_HANDLED;
}

/* The same where there is no account. */
static enum hook_result
on_vcard_set_by_others(struct module_ctx *m, struct iq *iq)
{
	(void)m;
	iq_error(iq, COND_FORBIDDEN, NULL); /* XEP-0054 §3.2 */
	return HOOK_HANDLED;
}

/* --- of a host --------------------------------------------------------------- */

static void
vcard_add(struct arena *a, struct elem *card, const char *name,
	const char *text)
{
	if (text != NULL && *text != '\0')
		elem_add_with_text(a, card, NS_VCARD, name, str_c(text));
}

static enum hook_result
on_host_vcard_get(struct module_ctx *m, struct iq *iq)
{
	const struct vcard_conf *conf = m->conf;
	struct elem *card = iq_payload(iq, NS_VCARD, "vCard");
	struct arena *a = iq->st->arena;

	vcard_add(a, card, "FN", conf->name);
	vcard_add(a, card, "URL", conf->url);
	vcard_add(a, card, "DESC", conf->description);
	if (elem_count(card) != 0)
		iq_result(iq, card);
	else
		iq_error(iq, COND_ITEM_NOT_FOUND, NULL);
	return HOOK_HANDLED;
}

static const struct iq_handler vcard_iqs[] = {
	{ IQ_GET, AT_OWN_ACCOUNT | AT_OTHERS, NS_VCARD, "vCard", on_vcard_get },
	{ IQ_SET, AT_OWN_ACCOUNT | STORES, NS_VCARD, "vCard", on_vcard_set },
	{ IQ_SET, AT_OTHERS, NS_VCARD, "vCard", on_vcard_set_by_others },
	{ IQ_GET, AT_HOST, NS_VCARD, "vCard", on_host_vcard_get },
	{ .fn = NULL },
};

MODULE(vcard) = {
	.api = MODULE_API,
	.name = "vcard",
	.summary = "keep and show the vCards of users",
	.specs = "XEP-0054 1.3.0",
	.features = (const char *const[]){ NS_VCARD, NULL },
	.account_features = (const char *const[]){ NS_VCARD, NULL },
	.options = vcard_options,
	.conf_size = sizeof(struct vcard_conf),
	.iqs = vcard_iqs,
};
