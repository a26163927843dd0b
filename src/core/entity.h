/*
 * entity.h - whatever owns a bare JID here.  It lives on exactly one shard, is
 * loaded when first needed, and dropped when idle.
 *
 * Owner shard.  Until its store has answered, stanzas wait in its inbox, in
 * order; the inbox is bounded.  From outside an entity is an address, not a
 * pointer.
 */
#ifndef CORE_ENTITY_H
#define CORE_ENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memuse.h"
#include "base/timer.h"
#include "xmpp/error.h"
#include "xmpp/jid.h"
#include "xmpp/stanza.h"
#include "core/shard.h"

struct arena;
struct elem;
struct entity;
struct entity_message;
struct entity_save;
struct entity_waiter;
struct fanout_one;
struct iq_alone;
struct module_entry;
struct slot;

/* Argument of HOOK_HOST_MESSAGE. */
struct host_message {
	struct shard *shard;
	struct host *host;
	struct stanza *st;
};

/* What a kind of entity does.  A static table for each class; a function may be
 * NULL where it says so. */
struct entity_class {
	const char *name;
	size_t size; /* of the struct that begins with struct entity */
	enum memuse memuse; /* what that counts as; 0: MEMUSE_ACCOUNT */
	bool everywhere; /* it has no state that must be in one place: each
			  * shard has its own */
	bool whole_domain; /* one entity, that of the domain, has all addresses
			    * there: they are somebody's behind it */
	bool has_clients; /* behind its full addresses stand clients, who answer in
			   * their own time or not at all */
	bool has_line; /* what is said to all there may wait in an entity_line.h:
			* who says it is slowed by what waits of his */
	/* May there be one more of them at sh?  Others may leave for it.  They
	 * are not among those that stats.entities counts.  NULL: of domains there
	 * are as many as the configuration has, of others as many as may be. */
	bool (*has_room)(struct shard *sh);
	/* Starts to load e: ends in entity_loaded(), or in entity_failed() after
	 * this has returned.  NULL: it is loaded at once, or when maps were
	 * read. */
	void (*load)(struct entity *e);
	/* In place of load: the maps that are read with it, of its domain and
	 * localpart, at most ENTITY_MAPS_MAX, NULL-terminated.  take() makes of
	 * answer (borrowed; entry.with names the map) what e is in memory, before
	 * all else that is called with e; of an address that is known to be
	 * nobody's there are no entries.  May be NULL, both. */
	const char *const *maps;
	void (*take)(struct entity *e, const struct store_answer *answer);
	/* One stanza, taken.  NULL: entity_receive_default(). */
	void (*receive)(struct entity *e, struct stanza *st);
	/* One stanza that many receive; st (borrowed) has no to, which is in
	 * one.  Asks for no other entity: that could take the place of e.
	 * False, and where it is NULL: it receives a copy. */
	bool (*receive_shared)(struct entity *e, struct stanza *st,
		struct fanout_one *one);
	/* One message (entity_message.h), taken, once e is loaded and not held:
	 * it is answered now or later.  NULL: there is nothing to tell it. */
	void (*told)(struct entity *e, struct entity_message *m);
	/* Something that e has said to many does not come to who (borrowed), though he
	 * hears more of e perhaps, and nothing comes back: called for each of them,
	 * and says nothing there and then.  NULL: nobody need know. */
	void (*missed)(struct entity *e, struct jid who);
	/* Which rows of handlers are for the get or set st (borrowed): enum
	 * iq_where.  NULL: what the domain says. */
	unsigned (*iq_where)(const struct entity *e, const struct stanza *st);
	/* Asks for what receive() will touch, a step further each time; touches
	 * only what the steps before have asked for.  May be NULL. */
	void (*warm)(const struct entity *e, unsigned step);
	/* The same as load at once, for an address that is known to be nobody's;
	 * calls nothing of the above.  NULL: zeroed memory is that already, or
	 * take() makes it. */
	void (*load_absent)(struct entity *e);
	/* Is it loaded, but not to be disturbed now?  Then entity_go_on()
	 * follows.  NULL: never. */
	bool (*is_held)(const struct entity *e);
	/* May it leave memory now?  NULL: whenever nothing waits for it. */
	bool (*is_idle)(const struct entity *e);
	/* Is there nothing behind the address?  Then it leaves at once when it
	 * is idle.  NULL: there always is something. */
	bool (*is_absent)(const struct entity *e);
	/* What a module keeps with whatever belongs to e ends: it leaves.  e has
	 * its own slots.  May be NULL. */
	void (*forget_module)(struct entity *e,
		const struct module_entry *entry);
	/* A module has come that makes something of it when it is loaded; it is
	 * loaded already.  May be NULL: that module has to ask. */
	void (*reload)(struct entity *e);
	/* Closes the streams that stand behind it; text may be NULL.  False:
	 * there is none.  May be NULL. */
	bool (*close)(struct entity *e, enum stream_cond cond, const char *text);
	/* Its address will be of another class, or of none: what e, which is
	 * loaded and leaves when this has returned, has to say to others it
	 * sends.  Not for a class that has close, nor when the server stops.
	 * NULL: nothing. */
	void (*retire)(struct entity *e);
	/* Is it among the items of its domain (XEP-0030 §4)?  Then adds to item, in
	 * a, what is told of it beside its address, such as a name; else adds
	 * nothing.  NULL: no address of the class is. */
	bool (*is_item)(const struct entity *e, struct arena *a,
		struct elem *item);
	/* The server stops, and nothing is under way any more: what e has in memory
	 * alone it puts into to (entity_save.h), and what is to come to nobody any
	 * more it lets go of, without a word.  wake() has it again after the next
	 * start: when e is loaded, before all that waits for it, and once; saved is
	 * borrowed.  asleep is the map that it lies in meanwhile.  NULL, all three:
	 * it is forgotten. */
	const char *asleep;
	void (*save)(struct entity *e, struct entity_save *to);
	void (*wake)(struct entity *e, const struct store_answer *saved);
	/* Frees what belongs to it, not e itself.  May be NULL. */
	void (*unload)(struct entity *e);
};

/* The table, then the entity, then so many steps of its class. */
#define WARM_STEPS 3
#define ENTITY_MAPS_MAX 8

enum entity_state { ENTITY_LOADING, ENTITY_LOADED };

struct entity {
	const struct entity_class *class;
	struct shard *shard;
	struct jid jid; /* bare; the bytes lie behind the object */
	uint64_t hash;  /* server_hash() of it */
	struct stanza_queue inbox;
	struct entity_waiter *waiters;
	struct slot *slots; /* what modules keep with it */
	struct timer idle; /* when this fires, waiters are called, or else it is
			    * dropped */
	struct iq_alone *alone; /* requests one by one; NULL: none */
	uint32_t inbox_bytes;
	uint8_t state;
	uint8_t calls; /* of receive() and of waiters that have not returned:
			* it is not idle */
	bool saved; /* the server stops, and has written it */
};

#define ASSERT_OWNER(e) ASSERT_ON((e)->shard)

struct log_who entity_who(const struct entity *e);

/* In memory, loaded or loading; NULL otherwise. */
struct entity *entity_find(struct shard *sh, struct str bare);
/* hash is server_hash() of bare. */
struct entity *entity_find_by_hash(struct shard *sh, struct str bare,
	uint64_t hash);
/* Perhaps the one with this hash, of which the memory is asked for; or NULL. */
struct entity *entity_warm(struct shard *sh, uint64_t hash);
/* In memory; starts to load it if it was not, and others that are idle may leave
 * for it.  hash is server_hash() of bare.  NULL when there are as many as may be
 * (domains of ours do not count), or another class has not yet left the address: refuse
 * with resource-constraint, or ERR_LIMIT. */
struct entity *entity_get(struct shard *sh, const struct entity_class *class,
	struct jid bare, uint64_t hash);
/* st is taken: received now, or when e is loaded; refused with
 * resource-constraint when the inbox is full. */
void entity_deliver(struct entity *e, struct stanza *st);

/* Calls fn(e, arg) once e is loaded and not held, and never before this has
 * returned; e is NULL when loading failed.  Until then e stays in memory. */
void entity_when_loaded(struct entity *e,
	void (*fn)(struct entity *e, void *arg), void *arg);

/*
 * An entity as a callback finds it: that one, and none that has got its address
 * since.  It lies in what waits for the answer, and is ended where that is freed.
 */
struct entity_ref {
	struct shard *shard;
	struct entity *e; /* NULL: it has left memory */
	uint64_t hash;
};

void entity_ref(struct entity_ref *ref, struct entity *e);
/* What it leads to: NULL when that has left memory. */
struct entity *entity_ref_end(struct entity_ref *ref);

/* The map or log called name of its domain and localpart; borrows from both. */
struct store_place entity_place(const struct entity *e, const char *name);

/*
 * Runs each(e, arg) for all entities of class that are loaded, at domain
 * (prepared, borrowed until done) or, for STR_NONE, at any: one shard after the
 * other, each on its own thread.  Then done(from, arg) on the shard that asked.
 */
void entity_visit_all(struct shard *from, const struct entity_class *class,
	struct str domain, void (*each)(struct entity *e, void *arg),
	void (*done)(struct shard *from, void *arg), void *arg);

/* The streams behind e, if it is loaded and has any: false if not. */
bool entity_close(struct entity *e, enum stream_cond cond, const char *text);
/* Its address will be of another class from now on, or of none: its streams are
 * closed, and it leaves when they have; of a class that has none, e leaves at
 * once, and what waited is answered with item-not-found. */
void entity_retire(struct entity *e);
/* What a module keeps with e and what belongs to it ends. */
void entity_forget_module(struct entity *e, const struct module_entry *entry);
/* A module has come that makes something of e when it is loaded. */
void entity_reload(struct entity *e);

/* --- for classes ------------------------------------------------------------ */

/* e is ready; what waited is received now. */
void entity_loaded(struct entity *e);
/* It cannot be loaded; what waited is answered with internal-server-error, and
 * e is gone. */
void entity_failed(struct entity *e, const struct err *why);
/* An entity with this address was made in the store. */
void entity_created(struct shard *sh, struct str bare);
/* It is not held any more. */
void entity_go_on(struct entity *e);
/* A loaded one leaves memory at once, idle or not: it is loaded anew when it is
 * needed, for the requests that wait (ONE_BY_ONE) too.  Not from within what its
 * class is called for: whoever has called goes on with e. */
void entity_drop(struct entity *e);
/* Something ended: if is_idle(e), it is dropped after a while. */
void entity_check_idle(struct entity *e);
/* Something began: it is not idle. */
void entity_in_use(struct entity *e);
/* What is done with st (taken) where a class does not know better: requests are
 * answered by the handlers of the domain (iq.h), other messages refused, and at
 * an address behind which there is nothing both with item-not-found. */
void entity_receive_default(struct entity *e, struct stanza *st);
/* What is idle leaves memory at once: when it is needed again it is loaded by
 * the modules that are in force then. */
void entity_drop_idle(struct shard *sh);
/* The server stops: sessions that have no stream end, too. */
void entity_close_all(struct shard *sh);
/* All that are in memory, idle or not; at the end of the shard. */
void entity_drop_all(struct shard *sh);

/* --- for entity_wake.c -------------------------------------------------------- */

/* What it had saved is not in the store any more: it is loaded as ever. */
void entity_load_awake(struct entity *e);

/* --- entity_ref.c, for entity.c ----------------------------------------------- */

/* References to e lead nowhere from now on. */
void entity_refs_leave(struct entity *e);
/* Reads the maps of its class, and ends as load() does. */
void entity_load_maps(struct entity *e);

#endif
