/*
 * net_int.h - what the files of this folder share: the insides of a net and of
 * a connection.
 *
 * Owner shard.  A connection that has something to do at the end of the turn
 * (to write, to read on, to die) is on its net's work list; one that was closed
 * and waits for its peer is on the lingering list; an idle one is on neither.
 */
#ifndef NET_NET_INT_H
#define NET_NET_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"
#include "net/conn.h"
#include "net/conn_guest.h"
#include "net/ip_network.h"
#include "net/net.h"
#include "net/tls.h"
#include "net/tls_dane.h"

/* Two TLS records: what one system call can bring. */
#define SCRATCH_BYTES 32768
/* Output buffers kept for the next busy connection, and how large at most. */
#define SPARE_BUFS 64
#define SPARE_BYTES 65536
/* Pipes of relays: kept for the next portion, and lent at once. */
#define SPARE_PIPES 16
#define PIPES_LENT 128
/* What one is given at once: more than it has room for, which depends on how the
 * network has cut what came. */
#define PIPE_BYTES ((size_t)1024 * 1024)
/* Reads of one connection in one wake-up, so that the others have their turn.
 */
#define READS_A_WAKEUP 4
#define BYTES_A_WAKEUP ((size_t)READS_A_WAKEUP * SCRATCH_BYTES)

TAILQ_HEAD(conn_list, conn);

/* For the report of a crash (base/ring.h): of the descriptor id, n bytes. */
struct ring_kind;
extern const struct ring_kind ring_bytes_in;

/* A callback of c that is running: c is NULL once c was detached inside, and
 * may then live, or be freed, on another thread. */
struct net_call {
	struct conn *c;
	struct net_call *up;
};

struct net_pipe {
	int out, in; /* its ends */
};

/* It has something to read, or room. */
struct net_waiting {
	struct conn *c; /* NULL: it has left */
	short what;
};

struct net {
	struct event_base *base;
	struct VEC(struct net_waiting) line; /* conn_bulk.c */
	struct conn_list work;
	struct conn_list lingering;
	struct net_call *calls;
	struct event
		*again; /* makes the loop turn once more; NULL without base */
	size_t count;
	size_t n_work;
	size_t n_spare;
	size_t left_max; /* what a bounded conn may have left */
	struct tls_tickets *tickets; /* NULL: TLS gives none */
	struct gauge left; /* what conns could not write, see conn.left */
	size_t pipe_bytes; /* 0: relays have no pipes */
	size_t n_pipes, n_pipes_lent;
	struct net_pipe pipes[SPARE_PIPES];
	bool flushing;
	struct buf spare[SPARE_BUFS];
	struct buf trash; /* what is written to a closing connection */
	char scratch[SCRATCH_BYTES];
};

enum conn_place { PLACE_NONE, PLACE_WORK, PLACE_LINGERING };

enum io { IO_OK, IO_AGAIN, IO_CLOSED, IO_BROKEN };

/*
 * A connection is in one state of each of these, and leaves it along the arrows
 * alone.  Beside them, it is detached while net is NULL, which it can be while
 * open, or dead without having been closed.
 *
 * Its life, towards the end alone (conn_end.c):
 *   OPEN     --conn_close()----------------> CLOSING  writes what is queued
 *   CLOSING  --all is written: conn_shut()--> SHUT    waits for the peer
 *   any      --the peer, time, conn_abort()-> DEAD    freed with this turn
 */
enum conn_life { LIFE_OPEN, LIFE_CLOSING, LIFE_SHUT, LIFE_DEAD };

/*
 * Its TLS (conn_tls.c).  OpenSSL must not be called again in FAILED and OVER,
 * and from ON on the connection counts as secure.
 *   NONE   --conn_start_tls(),
 *            conn_start_tls_client()---> HELLO  there is a conn_hello
 *   NONE   --conn_mem_secure()---------> ON     in memory: there is no ssl
 *   HELLO  --the handshake: done-------> ON
 *          `-the handshake: an error---> FAILED
 *   ON     --conn_tls_noise(): too much-> FLOODED  the next read fails
 *   ON, FLOODED --goodbye, or an error-> OVER
 */
enum conn_tls {
	CONN_TLS_NONE,
	CONN_TLS_HELLO,
	CONN_TLS_FAILED,
	CONN_TLS_ON,
	CONN_TLS_FLOODED,
	CONN_TLS_OVER
};

/*
 * What the other side takes (conn.c).
 *   FREE    --it refuses some---------> REFUSED  until it announces room
 *   REFUSED --room, or another loop---> DUE      drained() is, at the end
 *   DUE     --it refuses again--------> REFUSED
 *           `-all is out: drained()---> FREE
 */
enum conn_output { OUTPUT_FREE, OUTPUT_REFUSED, OUTPUT_DUE };

/* Of several protocols, the one that the peer will choose. */
struct conn_choice {
	size_t n;
	struct {
		char alpn[CONN_ALPN_MAX + 1];
		bool of_servers;
	} all[CONN_PROTOCOLS_MAX];
};

/* What only a handshake needs. */
struct conn_hello {
	struct tls_set *set; /* reference */
	char alpn[CONN_ALPN_MAX + 1];
	struct conn_choice *choice; /* NULL: there is none but that */
	bool named; /* the host is known: SNI changes nothing */
	bool server; /* the peer is one: its certificate is judged later */
	bool near;   /* it may be: SNI may name any domain of ours */
	bool opens;  /* we are the client, and have yet to begin */
};

/* What only a connection in memory needs. */
struct conn_mem {
	struct conn_mem_sink sink;
	struct buf in; /* fed while nobody read */
	size_t room;   /* what the other side takes yet; SIZE_MAX: all */
	bool hung_up;  /* the other side is gone */
	void (*lost)(void *arg, const char *p, size_t n); /* or NULL */
};

struct conn {
	uint32_t tag;
	int fd;		 /* -1 in memory */
	struct net *net; /* NULL while detached */
	TAILQ_ENTRY(conn) link;
	const struct conn_events *events;
	void *arg;
	struct ssl_st *ssl;
	struct conn_hello *hello; /* NULL but during a handshake */
	struct conn_mem *mem;	  /* NULL but in memory */
	struct buf out;		  /* empty, without memory, when idle */
	size_t out_at;		  /* of out, what the kernel has taken */
	uint64_t given;		  /* what it has taken in all */
	/* who has the one never gets the other (conn_close()) */
	union {
		struct conn_guest *guest; /* has_guest: moves its bytes */
		struct event *timer;	  /* else: NULL but while lingering */
	};
	struct err *why;	  /* NULL but when broken */
	struct share *share;	  /* in which left counts; may be NULL */
	uint32_t clear;		  /* bytes of out that precede TLS */
	uint32_t left;		  /* of out when it was counted last */
	uint32_t said;		  /* the last of what conn_taken() has, modulo 2^32 */
	uint16_t minute;	  /* in which noise was counted, modulo 2^16 */
	uint8_t noise : 7;	  /* TLS messages that carry no data */
	bool in_line : 1;	  /* of net */
	uint8_t key_words : 2;	  /* of key, 4 bytes each */
	uint8_t place : 2;	  /* enum conn_place */
	uint8_t armed : 3;	  /* EV_READ, EV_WRITE: what ev waits for */
	bool has_guest : 1;
	uint8_t key[8];
	uint8_t life : 2;      /* enum conn_life */
	uint8_t tls : 3;       /* enum conn_tls */
	uint8_t output : 2;    /* enum conn_output */
	bool paused : 1;       /* by its owner */
	bool read_blocked : 1; /* TLS has to write before it reads on */
	bool more : 1;	       /* input that no socket event announces */
	bool watched : 1;      /* what TLS takes for it is counted */
	bool silent : 1;       /* TLS says no goodbye */
	bool bounded : 1;      /* left has a bound, that of the net */
	bool lent : 1;         /* its socket is another thread's */
	uint8_t through : 2;   /* enum conn_through */
	char peer[54]; /* "[", 45 of an address, "]:", five digits */
	struct event ev;
};

/* --- net.c ---------------------------------------------------------------- */

void net_spare_put(struct net *net, struct buf *b);
/* b holds no memory; it gets some that was in use before, if there is any. */
void net_spare_get(struct net *net, struct buf *b);
void conn_move(struct conn *c, enum conn_place place);

/* --- conn.c --------------------------------------------------------------- */

struct conn *conn_new(struct net *net);
/* Puts c on the work list. */
void conn_touch(struct conn *c);
/* Along one of the arrows above. */
void conn_set_life(struct conn *c, enum conn_life to);
void conn_set_output(struct conn *c, enum conn_output to);
/* Its owner moves its bytes again, or nobody does. */
static inline void
conn_drop_guest(struct conn *c)
{
	if (c->has_guest)
		c->guest = NULL;
	c->has_guest = false;
}
/* The other side may take more. */
void conn_has_room(struct conn *c);
/* The connection is broken: closed() at the end of the turn.  why borrowed. */
void conn_fail(struct conn *c, const struct err *why);
/* errno after what; ERR_CLOSED when it says that the peer is gone.  False. */
bool conn_errno(struct err *err, const char *what);
/* What c has to do at the end of a turn; may free it. */
void conn_turn(struct conn *c);
bool conn_is_reading(const struct conn *c);
/* Reports n > 0 bytes.  False when c must not be touched any more, or must not
 * be read on. */
bool conn_tell_data(struct conn *c, const char *p, size_t n);
bool conn_tell_secured(struct conn *c);
/* False when c must not be touched any more. */
bool conn_tell_drained(struct conn *c);
/* c may read from now on. */
void conn_wake(struct conn *c);

/* It has something to read, or room (what, of libevent), and its turn. */
void conn_go_on(struct conn *c, short what);

/* --- conn_bulk.c ---------------------------------------------------------- */

/* Where the owner wants what comes next, as much as c may be read in a turn at most;
 * NULL: anywhere. */
char *conn_place(struct conn *c, size_t *n_out);
/* Does what it would do now concern nobody but a file, or a guest? */
bool conn_is_bulk(struct conn *c);
/* conn_go_on() comes, at the end of a turn. */
void conn_stand_in_line(struct conn *c, short what);
/* It does not. */
void conn_leave_line(struct conn *c);
void net_serve_line(struct net *net);

/* --- conn_end.c ----------------------------------------------------------- */

/* Who reads nothing costs no more than conn_bound() permits. */
void conn_check_bound(struct conn *c);
/* All is written: says goodbye and waits for the peer. */
void conn_shut(struct conn *c);
void conn_discard(struct conn *c);
/* Calls closed() and frees c. */
void conn_destroy(struct conn *c);

/* --- conn_guest.c --------------------------------------------------------- */

/* Nothing is queued; c may have none.  False when c must not be touched any more. */
bool conn_tell_guest(struct conn *c);
/* c is not open any more. */
void conn_end_guest(struct conn *c);

/* --- relay.c -------------------------------------------------------------- */

void net_pipes_trim(struct net *net);

/* --- conn_mem.c ----------------------------------------------------------- */

void conn_mem_turn(struct conn *c);
/* Will the other side take what is queued?  Sets output. */
void conn_mem_ask(struct conn *c);
void conn_mem_free(struct conn *c);

/* --- conn_peer.c ---------------------------------------------------------- */

/* Whom it is with: for limits, and for the log.  The latter: .n is not 0. */
void conn_set_peer(struct conn *c, const struct sockaddr *peer,
	unsigned peer_len);
void conn_set_peer_ip(struct conn *c, const struct ip *ip, uint16_t port);

/* Brings net->left up to date with what c has yet to write. */
void conn_count_left(struct conn *c, size_t left);

/* --- conn_tls.c ----------------------------------------------------------- */

/* Along one of the arrows above. */
void conn_set_tls(struct conn *c, enum conn_tls to);
/* Goes on with the handshake; false when c must not be read now. */
bool conn_tls_handshake(struct conn *c);
enum io conn_tls_read(
	struct conn *c, char *p, size_t n, size_t *got_out, struct err *err);
enum io conn_tls_write(struct conn *c, const char *p, size_t n,
	size_t *done_out, struct err *err);
bool conn_tls_has_pending(const struct conn *c);
void conn_tls_bye(struct conn *c);
void conn_tls_free(struct conn *c);
/* A TLS message came or went that carries no data (hostile 20). */
void conn_tls_noise(struct conn *c);

/* --- tls.c ---------------------------------------------------------------- */

/* Sessions for c, not yet connected to its socket; NULL with err.  As a server: */
struct ssl_st *tls_session_new(const struct tls_set *set, struct str host,
	bool from_server, struct conn *c, struct err *err);
/* As a client; "" for sni and alpn: none. */
struct ssl_st *tls_session_new_client(const struct tls_set *set, struct str local,
	struct str sni, struct str alpn, struct conn *c, struct err *err);
/* ERR_TLS, with what OpenSSL says; empties its queue.  Returns false. */
bool tls_err(struct err *err, const char *what);

/* --- tls_files.c ---------------------------------------------------------- */

struct ssl_ctx_st;
/* Certificate, chain and key into ctx. */
bool tls_files_load(struct ssl_ctx_st *ctx, const struct tls_host_conf *hc,
	struct err *err);
/* The authorities of client certificates, from a file or a folder. */
bool tls_files_load_cas(struct ssl_ctx_st *ctx, const char *path,
	struct err *err);
/* All that a set is made of: options, hosts, and of each file what changes with
 * its content.  False when a file is not there. */
bool tls_files_describe(const struct tls_conf *conf, struct buf *out);
/* What a session that is resumed must have been made under: the part of the
 * above that is no host's. */
bool tls_files_describe_rules(const struct tls_conf *conf, struct buf *out);
struct stat;
/* Of one file what changes with its content, whatever it is called here. */
void tls_files_identify(const struct stat *st, struct buf *out);
/* In place of the library's own, which asks at the terminal.  asked: a bool that
 * becomes true, or NULL. */
int tls_files_no_pass_phrase(char *out, int n, int writing, void *asked);
/* Reports what clients will not like about what was loaded, or will not when
 * warning_us have passed; named: the host is among its names. */
void tls_files_judge(struct ssl_ctx_st *ctx, const struct tls_host_conf *hc,
	bool named, int64_t warning_us, tls_warn_fn warn, void *arg);

/* --- tls_memory.c --------------------------------------------------------- */

/* Before its SSL is made, and after it was freed. */
void tls_memory_begin(struct conn *c);
void tls_memory_end(struct conn *c);
/* What OpenSSL takes from here on is for c; NULL: for nobody. */
void tls_memory_watch(const struct conn *c);

/* --- tls_names.c ---------------------------------------------------------- */

/* For which services a SRVName may be (RFC 4985). */
enum { TLS_SRV_CLIENT = 1, TLS_SRV_SERVER = 2 };
/* OpenSSL's; it cannot be named without its headers. */
struct stack_st_GENERAL_NAME;
struct x509_st;
/* Domain (prepared) with A-labels, as in certificates and SNI; itself when that
 * cannot be, as for an address.  Owned by the caller: free(). */
char *tls_names_ascii(struct str domain);
/* Is domain among names (may be NULL)?  ascii is tls_names_ascii() of it. */
bool tls_names_match(const struct stack_st_GENERAL_NAME *names,
	struct str domain, const char *ascii, unsigned services);
/* Appends those that could be a server's: "a.example, *.b.example and 3 others".
 * False, and nothing, when there is none. */
bool tls_names_list(const struct stack_st_GENERAL_NAME *names, struct buf *out);

/* --- tls_peer.c, tls_dane.c -------------------------------------------------- */

struct x509_store_ctx_st;
struct x509_store_st;
struct stack_st_X509;
/* How the certificate of another server is verified, at now_s. */
void tls_peer_tune(struct x509_store_ctx_st *ctx, int64_t now_s);

/* What another server has shown. */
struct tls_dane_peer {
	struct x509_st *leaf;
	struct stack_st_X509 *chain;
	struct x509_store_st *store; /* whom we trust; may be NULL */
	int64_t now_s;
	bool named; /* for a name that counts */
};

/* Is that a certificate that the records of d are for?  Appends to why, in words for
 * an administrator, which may have any bytes in them. */
enum tls_dane_verdict tls_dane_judge(const struct tls_dane *d,
	const struct tls_dane_peer *peer, struct buf *why);

/* --- tls_trust.c ---------------------------------------------------------- */

struct tls_trust;
/* May be NULL, as may trust; borrowed. */
struct x509_store_st *tls_trust_store(const struct tls_trust *trust);

/* --- tls_tickets.c -------------------------------------------------------- */

void tls_tickets_free(struct tls_tickets *t);
/* Tickets of ctx are made with the keys of the net that a connection is on, and
 * are good for every context with the same rules (text of any length). */
bool tls_tickets_attach(struct ssl_ctx_st *ctx, struct str rules,
	struct err *err);
/* ssl gives none and takes none; or, of c, only if its net has no keys. */
void tls_tickets_refuse(struct ssl_st *ssl);
void tls_tickets_begin(struct ssl_st *ssl, const struct conn *c);

#endif
