/*
 * proxy65.h - between the files of the module proxy65.
 *
 *	shard that accepts      shard of the digest       shard of the initiator
 *
 *	SOCKS5 ---a digest----> waits with another
 *	                        of the same
 *	iq <activate/> -------> both are there? --------> may this user? joined,
 *	   ^                                              until both have ended
 *	   `---- answered <-------- no <------------------- yes, or no
 *
 * So what one user has is on one shard, whatever the shards were that have accepted
 * his connections, and his limits hold for all of it.
 */
#ifndef MODULES_PROXY65_PROXY65_H
#define MODULES_PROXY65_PROXY65_H

#include <sys/queue.h>

#include "module/module.h"
#include "proxy65_socks.h"

#define PROXY65_KIND "proxy65"

struct transfer;
struct user;

/* Of a transfer, as they were when it was activated. */
struct proxy65_limits {
	int64_t idle_us;
	int64_t time_us;
	int64_t transfers;         /* of a user at once */
	uint64_t bytes;            /* of one; 0: no bound */
	uint64_t bytes_per_second; /* of a user; the same */
};

struct proxy65_conf {
	const char *domain;
	const char *name;             /* NULL: that of the host */
	int64_t port;                 /* 0: that which is open */
	struct option_list addresses;
	struct option_list allow;
	bool local_only;
	int64_t activation_timeout_us;
	struct proxy65_limits limits;
};

/* Who has connected. */
struct peer {
	struct listen_peer p; /* first */
	struct socks socks;
	struct timer timer;   /* until it has said which transfer it is for */
	int64_t came_us;
	struct transfer *t;   /* NULL: it has not, or was refused */
	TAILQ_ENTRY(peer) link; /* of that */
	bool arrived;         /* where the transfer goes, or lost on the way */
};

/* What an initiator asks for, by which he becomes the user of a transfer; it
 * travels to the shard of the digest, to his own, and back. */
struct activation {
	struct iq *iq;              /* to be answered at home */
	struct place home;
	struct module_entry *entry; /* held until then */
	uint8_t digest[DIGEST_BYTES];
	char *host, *user, *target; /* the host's domain; the initiator, bare */
	struct proxy65_limits limits;
	enum stanza_cond cond;      /* COND_NONE: it worked */
	const char *text;           /* to that; or NULL */
};

LIST_HEAD(transfers, transfer);
TAILQ_HEAD(peers, peer);

/* Of a shard. */
struct proxy65_shard {
	struct table waiting; /* struct transfer, by digest */
	struct table users;   /* struct user, by bare address */
	struct transfers all; /* those that run, the last one first */
	uint64_t serial;      /* of that */
};

/* Of a transfer, when it has both. */
#define ENDS 2
/* And what may connect to it at all: to each of what is announced. */
#define ADDRESSES_MAX 16 /* of the option 'addresses' */
#define PEERS_MAX (ENDS + ADDRESSES_MAX)

enum transfer_state {
	TRANSFER_WAITS,  /* at the shard of its digest */
	TRANSFER_MOVES,  /* to that of its initiator */
	TRANSFER_RUNS,
	TRANSFER_ENDS,
};

/*
 * Connections that named the same digest: one or more while it waits; then two are its
 * ends, and whatever else the target has connected to stays beside them, unread, until
 * they have gone.
 */
struct transfer {
	enum transfer_state state;
	struct shard *shard;
	struct proxy65_shard *here; /* the state of that */
	uint8_t digest[DIGEST_BYTES];
	uint64_t hash;
	struct peers peers;     /* by when they came */
	unsigned n_peers;
	struct peer *ends[ENDS]; /* of these, once chosen; NULL: it has gone */
	unsigned moving, arrived; /* while it moves: all, and those that have, or never
	                           * will */
	struct activation *ask; /* while it moves: to be answered */
	struct timer timer;
	/* once it runs */
	LIST_ENTRY(transfer) link, of_user;
	struct user *user;
	char *host, *target;
	struct proxy65_limits limits;
	uint64_t serial;        /* of its shard */
	uint64_t moved;
	int64_t allowed;        /* of the user's rate, in this round */
	int64_t began_us, heard_us;
	const char *why;        /* it was ended; NULL: by its ends */
};

/* Who has it: "romeo@example.net". */
const char *transfer_user(const struct transfer *t);

/* --- proxy65.c --------------------------------------------------------------- */

/* At home: answers, and frees a. */
void activation_answer(struct shard *sh, struct activation *a,
	enum stanza_cond cond, const char *text);

/* --- proxy65_wait.c ---------------------------------------------------------- */

extern const struct conn_events proxy65_events;
bool proxy65_accept(struct module_ctx *m, struct listen_peer *p,
	const struct config_listen *at);
/* At the shard of its digest, to which it was posted: a is taken. */
void proxy65_activate(struct shard *sh, void *a);

/* --- proxy65_transfer.c ------------------------------------------------------ */

/* Both ends are chosen, and all that are there are open: they go to the shard of the
 * user of a (taken). */
void transfer_move(struct transfer *t, struct activation *a);
/* peer is none of its ends any more. */
void transfer_leave(struct transfer *t, struct peer *peer);
/* peer is gone; t may be, too. */
void transfer_lose(struct transfer *t, struct peer *peer);
void proxy65_shard_done(struct shard *sh, void *state);

/* --- proxy65_command.c ------------------------------------------------------- */

extern const struct command proxy65_commands[];

#endif
