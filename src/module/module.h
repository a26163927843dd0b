/*
 * module.h - what a module is, and all that one may include.
 *
 * A module is one C file, or those of one folder, that defines one struct module
 * with MODULE(name).
 * What it attaches to stands there as tables, so that the loader can attach and
 * detach it, list it, and put it into the manual.  Nothing else is exported,
 * and there is no state in a module outside of its slots.
 *
 * Handlers run on the shard that hooks.def or iq.h says; the banners below say
 * who may call.
 */
#ifndef MODULE_MODULE_H
#define MODULE_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/quota.h"
#include "base/rand.h"
#include "base/rate.h"
#include "base/share.h"
#include "base/str.h"
#include "base/table.h"
#include "base/text.h"
#include "base/throttle.h"
#include "base/vec.h"
#include "base/worker.h"
#include "xml/elem.h"
#include "xml/elem_pack.h"
#include "xmpp/caps.h"
#include "xmpp/datetime.h"
#include "xmpp/error.h"
#include "xmpp/form.h"
#include "xmpp/jid.h"
#include "xmpp/mention.h"
#include "xmpp/message.h"
#include "xmpp/ns.h"
#include "xmpp/precis.h"
#include "xmpp/retraction.h"
#include "xmpp/rsm.h"
#include "xmpp/stanza.h"
#include "xmpp/subscription.h"
#include "xmpp/text_words.h"
#include "net/conn.h"
#include "net/relay.h"
#include "conf/conf.h"
#include "conf/option.h"
#include "disk/disk.h"
#include "store/store.h"
#include "core/component.h"
#include "core/element.h"
#include "core/audience.h"
#include "core/budget.h"
#include "core/address_set.h"
#include "core/entity.h"
#include "core/entity_line.h"
#include "core/entity_message.h"
#include "core/entity_save.h"
#include "core/fanout.h"
#include "core/hook.h"
#include "core/host.h"
#include "core/iq.h"
#include "core/iq_ask.h"
#include "core/link.h"
#include "core/listen.h"
#include "core/module_ctx.h"
#include "core/place.h"
#include "core/question.h"
#include "core/receipt.h"
#include "core/router.h"
#include "core/server.h"
#include "core/shard.h"
#include "core/stored.h"
#include "core/wire.h"
#include "http/http.h"
#include "http/http_parse.h"
#include "http/http_text.h"
#include "account/account.h"
#include "account/block_list.h"
#include "account/credentials.h"
#include "account/recent.h"
#include "account/roster_change.h"
#include "account/session.h"
#include "archive/archive_form.h"
#include "archive/archive_page.h"
#include "archive/archive_sweep.h"
#include "archive/archive_words.h"
#include "command/command.h"
#include "module/module_api.h"

struct module {
	uint64_t api; /* MODULE_API, of module_api.h; first in every version */
	const char *name;
	const char *summary;
	const char *specs; /* "XEP-0199 2.0.1, ...": feeds the list of what we
			    * support */
	const char *const *features; /* of disco#info at a host; NULL-terminated */
	const char *const *account_features; /* at a bare address */
	const char *const *service_features; /* at services of any module */
	const char *const *address_features; /* at addresses there */
	const char *const *needs;    /* modules that must be in force too */
	const struct option *options;
	size_t conf_size; /* of the struct that options fill */
	const struct hook_handler *hooks;
	const struct iq_handler *iqs;
	const struct element_handler *elements; /* of streams of clients */
	const struct command *commands;
	const struct service *services; /* domains with entities of its own */
	const struct listen_kind *listeners; /* kinds of ports; see listen.h */
	const struct http_route *routes; /* requests by HTTP; see http.h */
	const char *const *account_maps; /* read with the account, and the
					  * sizes of logs of these names; see
					  * HOOK_ACCOUNT_LOAD */

	const char *const *account_removal_maps; /* read when an account is removed,
					  * for HOOK_ACCOUNT_REMOVE: where else
					  * there is something of it; they cost
					  * nothing until then */

	/* State: bytes in a slot of each object, zeroed when first asked for;
	 * the done function (may be NULL) ends it before it is freed. */
	size_t shard_state, entity_state, session_state;
	void (*shard_done)(struct shard *sh, void *state);
	void (*entity_done)(struct entity *e, void *state);
	void (*session_done)(struct session *s, void *state);
	/* What of that state is to outlive a restart of the server, as children of
	 * into, in the arena a; and, on the shard of s, which sleeps, the state
	 * again, zeroed before: false when from is nothing that was saved.  Both
	 * or neither. */
	void (*session_save)(const struct session *s, const void *state,
		struct arena *a, struct elem *into);
	bool (*session_restore)(struct session *s, void *state,
		const struct elem *from);

	/* Another snapshot is in force on sh, after the start or a reload: called for
	 * each host that has the module.  Timers begin here.  May be NULL. */
	void (*follow)(struct module_ctx *m, struct shard *sh);

	/* What of its options may be meant otherwise, for check-config and the log: appends
	 * to out, or nothing.  Any thread.  May be NULL. */
	void (*note)(const void *conf, struct buf *out);

	/* Called once, on shard 0, before and after everything else of it.  May
	 * be NULL. */
	bool (*load)(struct server *srv, struct err *err);
	void (*unload)(struct server *srv);
};

/* The one symbol that the loader looks for. */
#ifdef STATIC_MODULES
#define MODULE(id)                                                             \
	extern const struct module antiphon_module_##id;                       \
	const struct module antiphon_module_##id
#else
#define MODULE(id)                                                             \
	extern const struct module antiphon_module;                            \
	__attribute__((visibility("default"))) const struct module antiphon_module
#endif

/* --- owner shard: state in slots ------------------------------------------------- */

/* The module whose service the address of e is at, as it is used there; valid for
 * this turn.  NULL: it is at none, any more. */
struct module_ctx *module_of_entity(const struct entity *e);
/* Never NULL: made when first asked for. */
void *module_shard_state(struct module_ctx *m, struct shard *sh);
/* The same for a module that is held, whether it is in force anywhere or not. */
void *module_entry_state(struct module_entry *entry, struct shard *sh);
void *module_entity_state(struct module_ctx *m, struct entity *e);
void *module_session_state(struct module_ctx *m, struct session *s);
/* NULL: it was not asked for yet, so that who does nothing costs nothing. */
void *module_session_state_if_made(struct module_ctx *m, const struct session *s);

/* --- any shard: the store, answered on sh, after the call has returned ------------ */

/* As in store/store.h; the callback runs on sh, and the module stays loaded
 * until it has. */
void module_get(struct module_ctx *m, struct shard *sh, struct store_place at,
	struct str key, store_read_fn fn, void *arg);
void module_list(struct module_ctx *m, struct shard *sh, struct store_place at,
	store_read_fn fn, void *arg);
void module_page(struct module_ctx *m, struct shard *sh, struct store_place at,
	const struct store_page *page, store_read_fn fn, void *arg);
void module_range(struct module_ctx *m, struct shard *sh, struct store_place at,
	const struct store_range *range, store_read_fn fn, void *arg);
void module_get_entries(struct module_ctx *m, struct shard *sh,
	struct store_place at, const struct str *ids, size_t n_ids,
	size_t max_bytes, store_read_fn fn, void *arg);
void module_talks(struct module_ctx *m, struct shard *sh, struct store_place at,
	uint32_t max, store_read_fn fn, void *arg);
void module_list_many(struct module_ctx *m, struct shard *sh, struct str host,
	struct str owner, const struct str *names, size_t n_names,
	store_read_fn fn, void *arg);
void module_owners(struct module_ctx *m, struct shard *sh, struct str host,
	struct str name, struct str after, uint32_t max, store_read_fn fn, void *arg);
void module_trim(struct module_ctx *m, struct shard *sh, struct store_place at,
	const struct store_trim *trim, store_trim_fn fn, void *arg);
/* tx is taken; fn may be NULL. */
void module_commit(struct module_ctx *m, struct shard *sh, struct store_tx *tx,
	store_done_fn fn, void *arg);

/* --- any shard: asking others, answered on sh, after the call has returned --------- */

/* iq_ask(); the module stays loaded until fn has returned. */
void module_ask(struct module_ctx *m, struct shard *sh, struct stanza *st,
	int64_t timeout_us, iq_ask_fn fn, void *arg);

/* --- owner shard: effects in order, see account_line.h --------------------------- */

/* As account_turn_fn; m is NULL when the module is not in force any more. */
typedef void (*module_turn_fn)(struct module_ctx *m, struct account *acc,
	const struct err *err, void *arg);

/* account_turn() and account_halt() of a module, which stays loaded until fn has
 * returned, or module_go_on() was called. */
void module_commit_in_turn(struct module_ctx *m, struct account *acc,
	struct store_tx *tx, module_turn_fn fn, void *arg);
struct module_halt *module_halt(struct module_ctx *m, struct account *acc);
void module_go_on(struct module_halt *halt);

/* --- stanzas that a module makes ---------------------------------------------------- */

/* Argument of HOOK_STREAM_FEATURES: add children to features, in arena.  What is
 * added depends on host, secure and authenticated alone, and goes to all streams
 * of which these are the same, until the next reload. */
struct stream_features {
	struct shard *shard;
	struct host *host;
	struct arena *arena;
	struct elem *features;
	bool secure;        /* TLS is up */
	bool authenticated;
};

/* Argument of HOOK_STREAM_IQ. */
struct stream_iq {
	struct shard *shard;
	struct host *host;
	struct stanza *st;
	bool secure;
	const char *peer;     /* "192.0.2.1:40000" */
	struct str peer_key;  /* for limits by address */
	void *stream;
	/* Answers with reply (taken), now or later on the same shard; the stream
	 * may be gone by then, which token tells: it is copied from here. */
	uint64_t token;
	void (*reply)(struct shard *sh, uint64_t token, struct stanza *reply);
};

/* Argument of HOOK_AUTH_DONE. */
struct auth_event {
	struct shard *shard;
	struct host *host;
	struct str account;   /* localpart; may be empty */
	const char *mechanism;
	const char *peer;
	bool ok;
};

/* Argument of HOOK_DISCO_INFO and HOOK_DISCO_ITEMS: add children to query, in
 * arena. */
struct disco_query {
	struct shard *shard;
	struct host *host;
	struct entity *entity;   /* who is asked; NULL: the host */
	struct account *account; /* the same; NULL: it is no account */
	struct jid from;
	struct str node;         /* STR_NONE: none */
	struct arena *arena;
	struct elem *query;
	struct iq *iq;           /* of a node, or of items; else NULL: a handler
				  * that answers HOOK_HANDLED has answered or kept
				  * it */
	bool node_known;         /* a handler knows the node: no item-not-found */
};

#endif
