/*
 * private.c - keeps XML for an account's own clients (XEP-0049).
 *
 * Owner shard of the account.  One value for each namespace, map "private":
 * <query xmlns='jabber:iq:private'/> around what was stored.  What an account
 * may keep is limited as a whole, so a set first reads all there is; sets of one
 * account are done one by one, so that they cannot pass the limit together.
 */
#include "config.h"

#include "module/module.h"

#define MAP_PRIVATE "private"
#define ELEMENTS_MAX 256 /* in one set */

struct private_conf {
	uint64_t max_bytes;
	int64_t max_namespaces;
};

static const struct option private_options[] = {
	{ .name = "max_bytes", .type = OPT_SIZE, .dflt = "1MiB",
		.min = "1KiB", .max = "16MiB",
		.off = offsetof(struct private_conf, max_bytes),
		.help = "what one account may keep, in all" },
	{ .name = "max_namespaces", .type = OPT_INT, .dflt = "100",
		.min = "1", .max = "10000",
		.off = offsetof(struct private_conf, max_namespaces),
		.help = "how many namespaces one account may use" },
	{ .name = NULL },
};

/* A set that is under way. */
struct private_set {
	struct module_entry *entry;
	struct iq *iq;
};

/* XEP-0049 §2.3: a child in a namespace of its own, which is the key. */
static bool
private_child_ok(const struct elem *child)
{
	return child->ns.n != 0 && child->ns.n <= STORE_KEY_MAX &&
		!str_is(child->ns, NS_PRIVATE);
}

/* --- get ------------------------------------------------------------------------ */

static void
on_private_read(void *arg, const struct store_answer *answer,
	const struct err *err)
{
	struct iq *iq = arg;
	struct arena *a = iq->st->arena;
	struct elem *query = NULL;

	if (err != NULL) {
		iq_error(iq, stanza_cond_of(err->code), NULL);
		return;
	}
	if (answer->n != 0)
		query = stored_read(a, answer->entries[0].value);
	if (query == NULL) {
		query = iq_payload(iq, NS_PRIVATE, "query");
		elem_append(query, elem_copy(a, elem_first_child(iq->payload)));
	}
	iq_result(iq, query);
}

static enum hook_result
on_private_get(struct module_ctx *m, struct iq *iq)
{
	struct store_place at = account_place(iq_account(iq), MAP_PRIVATE);
	const struct elem *child = elem_first_child(iq->payload);
	struct shard *sh = iq->shard;

	if (elem_count(iq->payload) != 1 || !private_child_ok(child)) {
		iq_error(iq, COND_NOT_ACCEPTABLE,
			"Ask for one element in a namespace of its own");
		return HOOK_HANDLED;
	}
	iq_keep(iq);
	module_get(m, sh, at, child->ns, on_private_read, iq);
	return HOOK_HANDLED;
}

/* --- set: the values -------------------------------------------------------------- */

static bool
is_first_of_its_ns(const struct elem *payload, const struct elem *child)
{
	elem_each_child(payload, e) {
		if (e == child)
			return true;
		if (str_eq(e->ns, child->ns))
			return false;
	}
	return false;
}

static bool
payload_has_ns(const struct elem *payload, struct str ns)
{
	elem_each_child(payload, e) {
		if (str_eq(e->ns, ns))
			return true;
	}
	return false;
}

static bool
elem_is_empty(const struct elem *e)
{
	return e->first == NULL && e->attrs == NULL;
}

/* Appends what is stored for ns; nothing when that says no more than its
 * absence. */
static void
value_write(struct buf *out, struct iq *iq, struct str ns)
{
	struct elem *query = iq_payload(iq, NS_PRIVATE, "query");

	elem_each_child(iq->payload, e) {
		if (str_eq(e->ns, ns))
			elem_append(query, elem_copy(iq->st->arena, e));
	}
	if (elem_count(query) != 1 || !elem_is_empty(query->first))
		stored_write(out, query);
}

struct private_size {
	uint64_t bytes;
	int64_t namespaces;
};

static void
size_add(struct private_size *size, struct str key, struct str value)
{
	size->bytes += key.n + value.n;
	size->namespaces++;
}

/* Writes each namespace of iq into tx, and adds it to size. */
static void
private_write(struct iq *iq, struct store_place at, struct store_tx *tx,
	struct private_size *size)
{
	elem_each_child(iq->payload, e) {
		struct buf value = BUF_INIT;

		if (!is_first_of_its_ns(iq->payload, e))
			continue;
		value_write(&value, iq, e->ns);
		if (value.n != 0) {
			store_tx_set(tx, at, e->ns, buf_str(&value));
			size_add(size, e->ns, buf_str(&value));
		} else {
			store_tx_delete(tx, at, e->ns);
		}
		buf_done(&value);
	}
}

/* --- set: storing them -------------------------------------------------------------- */

static struct store_place
private_place(const struct iq *iq, const char *map)
{
	return (struct store_place){
		.host = jid_domain(iq->st->to),
		.owner = jid_local(iq->st->to),
		.name = str_c(map),
	};
}

static void
on_private_written(void *arg, bool ok, const struct err *err)
{
	struct iq *iq = arg;

	if (ok)
		iq_result(iq, NULL);
	else
		iq_error(iq, stanza_cond_of(err->code), NULL);
}

/* What there is counts, but for what is about to be replaced. */
static struct private_size
private_rest(const struct iq *iq, const struct store_answer *answer)
{
	struct private_size size = { .bytes = 0 };

	for (size_t i = 0; i < answer->n; i++) {
		if (!payload_has_ns(iq->payload, answer->entries[i].key))
			size_add(&size, answer->entries[i].key,
				answer->entries[i].value);
	}
	return size;
}

static void
private_store(struct module_ctx *m, struct iq *iq, struct private_size size)
{
	const struct private_conf *conf = m->conf;
	struct store_tx *tx = store_tx_new();

	/* the account may have been removed meanwhile, and all it had */
	store_tx_require(tx, private_place(iq, MAP_ACCOUNT), STR(KEY_CREATED));
	private_write(iq, private_place(iq, MAP_PRIVATE), tx, &size);
	if (size.bytes <= conf->max_bytes &&
		size.namespaces <= conf->max_namespaces) {
		module_commit(m, iq->shard, tx, on_private_written, iq);
		return;
	}
	store_tx_free(tx);
	iq_error(iq, COND_RESOURCE_CONSTRAINT,
		"That is more than an account may keep");
}

static void
on_private_listed(void *arg, const struct store_answer *answer,
	const struct err *err)
{
	struct private_set set = *(struct private_set *)arg;
	struct host *host =
		shard_host(set.iq->shard, jid_domain(set.iq->st->to));
	struct module_ctx *m =
		host != NULL ? module_at_host(host, set.entry) : NULL;

	free(arg);
	if (err != NULL)
		iq_error(set.iq, stanza_cond_of(err->code), NULL);
	else if (m == NULL)
		iq_error(set.iq, COND_SERVICE_UNAVAILABLE, NULL);
	else
		private_store(m, set.iq, private_rest(set.iq, answer));
}

static void
private_start(struct module_ctx *m, struct iq *iq)
{
	struct private_set *set = xmalloc(sizeof(*set));

	*set = (struct private_set){ m->entry, iq };
	iq_keep(iq);
	module_list(m, iq->shard, private_place(iq, MAP_PRIVATE),
		on_private_listed, set);
}

static const char *
private_mistake(const struct elem *payload)
{
	size_t n = elem_count(payload);

	if (n == 0)
		return "There is nothing to store";
	if (n > ELEMENTS_MAX)
		return "Store fewer elements at a time";
	elem_each_child(payload, e) {
		if (!private_child_ok(e))
			return "Each element needs a namespace of its own";
	}
	return NULL;
}

static enum hook_result
on_private_set(struct module_ctx *m, struct iq *iq)
{
	const char *mistake = private_mistake(iq->payload);

	if (mistake != NULL)
		iq_error(iq, COND_NOT_ACCEPTABLE, mistake);
	else if (iq_account(iq)->anonymous)
		iq_error(iq, COND_NOT_ALLOWED,
			"Nothing is kept for temporary accounts");
	else
		private_start(m, iq);
	return HOOK_HANDLED;
}

static const struct iq_handler private_iqs[] = {
	{ IQ_GET, AT_OWN_ACCOUNT, NS_PRIVATE, "query", on_private_get },
	{ IQ_SET, AT_OWN_ACCOUNT | ONE_BY_ONE | STORES, NS_PRIVATE, "query",
		on_private_set },
	{ .fn = NULL },
};

MODULE(private) = {
	.api = MODULE_API,
	.name = "private",
	.summary = "keep data for the clients of a user",
	.specs = "XEP-0049 1.2",
	.features = (const char *const[]){ NS_PRIVATE, NULL },
	.account_features = (const char *const[]){ NS_PRIVATE, NULL },
	.options = private_options,
	.conf_size = sizeof(struct private_conf),
	.iqs = private_iqs,
};
