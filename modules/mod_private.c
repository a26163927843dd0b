/*
 * mod_private.c - keeps XML for an account's own clients (XEP-0049).
 *
 * Owner shard of the account.  One value for each namespace, map "private":
 * <query xmlns='jabber:iq:private'/> around what was stored.  What an account
 * may keep is limited as a whole, so a set first reads all there is; sets of one
 * account are done one after the other, so that they cannot pass the limit
 * together.  Invariant: the first of the queue is the one under way.
 */
#include "config.h"

#include "core/module.h"

#define NS_PRIVATE "jabber:iq:private"
#define MAP_PRIVATE "private"
#define ELEMENTS_MAX 256 /* in one set */
#define WAITING_MAX 32   /* sets of one account */

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

struct private_set {
	struct private_set *next;
	struct private_state *state; /* NULL: the account has left memory */
	struct module_entry *entry;
	struct iq *iq;
};

/* Of an account. */
struct private_state {
	struct private_set *first;
	size_t n;
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
	struct store_place at = account_place(iq->account, MAP_PRIVATE);
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

/* --- set: one after the other ------------------------------------------------------- */

static struct module_ctx *
private_ctx(const struct private_set *set)
{
	struct host *host =
		shard_host(set->iq->shard, jid_domain(set->iq->st->to));

	return host != NULL ? module_at_host(host, set->entry) : NULL;
}

static struct store_place
private_place(const struct iq *iq, const char *map)
{
	return (struct store_place){
		.host = jid_domain(iq->st->to),
		.owner = jid_local(iq->st->to),
		.name = str_c(map),
	};
}

static void private_start(struct private_set *set);

/* Answers set, which is freed, and goes on with the next. */
static void
private_finish(struct private_set *set, enum stanza_cond cond, const char *text)
{
	struct private_state *state = set->state;

	if (cond == COND_NONE)
		iq_result(set->iq, NULL);
	else
		iq_error(set->iq, cond, text);
	if (state != NULL) {
		state->first = set->next;
		state->n--;
	}
	free(set);
	if (state != NULL && state->first != NULL)
		private_start(state->first);
}

static void
on_private_written(void *arg, bool ok, const struct err *err)
{
	private_finish(arg, ok ? COND_NONE : stanza_cond_of(err->code), NULL);
}

/* Reads what there is: it counts, but for what is about to be replaced. */
static void
on_private_listed(void *arg, const struct store_answer *answer,
	const struct err *err)
{
	struct private_set *set = arg;
	struct iq *iq = set->iq;
	struct module_ctx *m = private_ctx(set);
	const struct private_conf *conf;
	struct private_size size = { .bytes = 0 };
	struct store_tx *tx;

	if (m == NULL || err != NULL) {
		private_finish(set,
			err != NULL ? stanza_cond_of(err->code) :
				      COND_SERVICE_UNAVAILABLE,
			NULL);
		return;
	}
	conf = m->conf;
	for (size_t i = 0; i < answer->n; i++) {
		if (!payload_has_ns(iq->payload, answer->entries[i].key))
			size_add(&size, answer->entries[i].key,
				answer->entries[i].value);
	}
	tx = store_tx_new();
	/* the account may have been removed meanwhile, and all it had */
	store_tx_require(tx, private_place(iq, MAP_ACCOUNT), STR(KEY_CREATED));
	private_write(iq, private_place(iq, MAP_PRIVATE), tx, &size);
	if (size.bytes <= conf->max_bytes &&
		size.namespaces <= conf->max_namespaces) {
		module_commit(m, iq->shard, tx, on_private_written, set);
		return;
	}
	store_tx_free(tx);
	private_finish(set, COND_RESOURCE_CONSTRAINT,
		"That is more than an account may keep");
}

static void
private_start(struct private_set *set)
{
	struct module_ctx *m = private_ctx(set);

	/* a reload has taken the module away, and each that waits is told */
	if (m == NULL)
		private_finish(set, COND_SERVICE_UNAVAILABLE, NULL);
	else
		module_list(m, set->iq->shard,
			private_place(set->iq, MAP_PRIVATE), on_private_listed,
			set);
}

static void
private_queue(struct module_ctx *m, struct private_state *state, struct iq *iq)
{
	struct private_set *set = xmalloc(sizeof(*set));
	struct private_set **at = &state->first;

	*set = (struct private_set){
		.state = state,
		.entry = m->entry,
		.iq = iq,
	};
	while (*at != NULL)
		at = &(*at)->next;
	*at = set;
	state->n++;
	iq_keep(iq);
	if (state->first == set)
		private_start(set);
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
	struct private_state *state = module_account_state(m, iq->account);
	const char *mistake = private_mistake(iq->payload);

	if (mistake != NULL)
		iq_error(iq, COND_NOT_ACCEPTABLE, mistake);
	else if (iq->account->anonymous)
		iq_error(iq, COND_NOT_ALLOWED,
			"Nothing is kept for temporary accounts");
	else if (state->n >= WAITING_MAX)
		iq_error(iq, COND_RESOURCE_CONSTRAINT,
			"Wait until what was sent before is stored");
	else
		private_queue(m, state, iq);
	return HOOK_HANDLED;
}

/* The one under way goes on without the account; the others are refused. */
static void
on_account_done(struct account *acc, void *arg)
{
	struct private_state *state = arg;
	struct private_set *set = state->first, *next;

	(void)acc;
	if (set == NULL)
		return;
	set->state = NULL;
	for (set = set->next; set != NULL; set = next) {
		next = set->next;
		iq_error(set->iq, COND_RESOURCE_CONSTRAINT, NULL);
		free(set);
	}
}

static const struct iq_handler private_iqs[] = {
	{ IQ_GET, AT_OWN_ACCOUNT, NS_PRIVATE, "query", on_private_get },
	{ IQ_SET, AT_OWN_ACCOUNT, NS_PRIVATE, "query", on_private_set },
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
	.account_state = sizeof(struct private_state),
	.account_done = on_account_done,
};
