/*
 * bench.h - antiphon-bench: many clients in one thread, to load a server and
 * to check what it delivers.
 *
 * A run is straight-line code in bench_<mode>.c: it starts clients, lets
 * bench_wait() turn the loop until a condition holds, and adds results.  What
 * arrives comes to the callbacks of the mode.  Everything belongs to the one
 * thread.
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <openssl/ssl.h>

#include "base/buf.h"
#include "xml/elem.h"
#include "xml/parser.h"
#include "xmpp/ns.h"
#include "account/credentials.h"

struct bench;
struct client;

/* Processes that one server may consist of. */
#define PIDS_MAX 8

enum bench_tls { BENCH_STARTTLS, BENCH_DIRECT, BENCH_PLAIN };

/* What the command line says; see the table in bench_main.c. */
struct bench_conf {
	const char *address; /* of the server */
	unsigned port;
	enum bench_tls tls;
	const char *domain;
	const char *password;  /* of every account */
	const char *mechanism; /* PLAIN or SCRAM-SHA-n; NULL: what there is */
	enum scram_hash hash;
	const char *state;     /* file of the mode kill */
	const char *mark;      /* command around what is measured, or NULL */
	unsigned clients;
	unsigned first;   /* account of the first one, in the mode open */
	unsigned window;  /* logins, messages or questions on their way */
	unsigned devices; /* of each client, in the mode chat: further ones */
	unsigned count;   /* messages, questions or rounds of each client */
	unsigned contacts;
	unsigned size;    /* of rooms */
	unsigned senders; /* in each of them; 0: all */
	unsigned pages;   /* of archives, of each kind */
	unsigned bytes;   /* of a message's body */
	unsigned seconds;
	unsigned patience; /* seconds without progress that end a run */
	unsigned seed;
	unsigned pace;     /* ms between two actions of one client */
	unsigned rate;     /* messages a second, of all clients */
	unsigned every;    /* ms from a message in a room to the next; 0: at once */
	unsigned warm;     /* percent of a run that goes before the measure */
	pid_t pids[PIDS_MAX]; /* of the server; none: 0 of them */
	unsigned n_pids;
	const char *command; /* that restarts the server, or NULL */
	bool resume;      /* TLS sessions */
	bool bare;        /* chat with bare addresses */
	bool copies;      /* for these devices (XEP-0280) */
	bool floor;       /* the server is antiphon-floor */
	bool one_way;     /* of a pair, only one sends */
	bool sm;          /* stream management (XEP-0198) */
	bool paced;       /* no more than window changes of presence */
	bool archive;     /* of rooms */
	bool moderators;  /* whose presence alone rooms tell */
	bool table;
	bool verbose;
};

/* --- bench_client.c: one connection -------------------------------------- */

enum client_state {
	CLIENT_OFF,        /* no connection */
	CLIENT_CONNECTING, /* TCP, then TLS if it comes first */
	CLIENT_OPENING,    /* the stream's header and features */
	CLIENT_STARTTLS,   /* asked for; then the handshake */
	CLIENT_AUTH,
	CLIENT_RESUMING, /* the session of its last connection */
	CLIENT_BIND,
	CLIENT_SESSION,    /* only where the server wants RFC 3921 */
	CLIENT_ENTERING,   /* the roster, and its own presence */
	CLIENT_READY,
	CLIENT_CLOSING,    /* we have closed the stream, and wait for the peer */
};

enum client_end { END_NONE, END_CLEAN, END_RESET, END_BROKEN };

struct client {
	struct bench *b;
	unsigned index;
	unsigned account; /* is called "b<account>": as index, but for devices */
	enum client_state state;
	enum client_end end; /* wanted: carried out when the callback is over */
	int fd;
	int64_t started_us;   /* when it last began to connect */
	SSL *ssl;
	SSL_SESSION *session; /* with --resume: of the last connection */
	struct xml_parser *parser;
	struct buf out;
	struct client *next_dirty;
	bool dirty, want_write, handshake, restart, authenticated, in_feed;
	bool wants_session, got_roster, got_presence;
	bool deaf;              /* what comes is not looked at any more */
	uint8_t fences;         /* while entering: answers to come */
	bool counts;            /* with --sm: the stanzas that come */
	uint32_t h;             /* so many */
	char *session_id;       /* with keep_sessions: of the last connection */
	uint8_t intro;          /* bytes of it that the floor has sent back */
	struct buf first_bare; /* SCRAM: our first message without its header */
	void *data;            /* the mode's own */
};

/* Connects, logs in, binds the resource "bench", and enters, unless the run
 * does that itself (b->bind_only). */
void client_start(struct client *c);
/* Closes the stream, and the connection when the server has closed it too. */
void client_close(struct client *c);
/* Ends the connection with a TCP reset. */
void client_reset(struct client *c);
/* Ends it at once, with this callback to on_lost. */
void client_end(struct client *c, enum client_end how, const char *why);
void client_event(struct client *c, uint32_t events);
void client_flush(struct client *c);
void client_send(struct client *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void client_send_str(struct client *c, struct str s);
void client_free(struct client *c);

/* --- bench_login.c: from the first byte to the bound resource ------------ */

extern const struct xml_events login_events;
extern const struct xml_limits login_limits;
/* The connection is there, or TLS is, or the user is known. */
void login_open_stream(struct client *c);

/* "bench", and for further devices of the account "bench1", ... */
#define RESOURCE_SIZE 16
const char *client_resource(const struct client *c, char out[RESOURCE_SIZE]);

/* For the callbacks of the parser: what came was wrong, and ends it. */
void login_broken(struct client *c, const char *why);

/* With --sm: asks whether the server has what was sent, behind every fifth
 * (XEP-0198 §8.2). */
void login_ask(struct client *c, uint32_t sent);
/* It has all that came. */
void login_acknowledge(struct client *c);

/* --- bench_enter.c: from there to the first presence --------------------- */

/* Asks for the roster and says presence; ready when both have come back. */
void enter_start(struct client *c);
/* What comes meanwhile; true when it was an answer to enter_start. */
bool enter_stanza(struct client *c, struct elem *e);
/* It is ready, and the mode hears of it. */
void enter_done(struct client *c);

/* --- bench_floor.c: what is there instead, with antiphon-floor ------------ */

/* What the floor does with what a client sends. */
enum floor_kind { FLOOR_ECHO, FLOOR_PAIRS, FLOOR_GROUPS };

/* The connection is there, and TLS. */
void floor_introduce(struct client *c);
/* What came before the client was ready. */
void floor_answer(struct client *c, const char *p, size_t n);
/* The end of the stream. */
void floor_close(struct client *c);

/* --- bench_scram.c -------------------------------------------------------- */

struct scram_cache {
	struct buf salt;
	unsigned iterations;
	uint8_t client_key[SCRAM_DIGEST_MAX], stored_key[SCRAM_DIGEST_MAX];
};

/* Both append to out, in base64. */
void scram_first(struct client *c, struct buf *out);
bool scram_final(struct client *c, struct str challenge, struct buf *out);
void plain_first(struct client *c, struct buf *out);
/* Lines for `antiphonctl adduser --batch`, one verifier for all accounts. */
int accounts_print(const struct bench_conf *conf);

/* --- bench_loop.c: all clients -------------------------------------------- */

/* Does the server send a client its own presence (RFC 6121 §4.2.2)? */
enum bench_echo { ECHO_UNKNOWN, ECHO_YES, ECHO_NO };

struct bench {
	struct bench_conf *conf;
	int epoll, timer; /* timer: -1 without on_timer */
	SSL_CTX *tls;
	struct xml_pool *xml;
	struct scram_cache scram;
	struct client *clients;
	unsigned n_clients; /* with further devices, which are behind the others */
	struct client *dirty;
	char *scratch; /* SCRATCH_BYTES */
	char *body;    /* of messages: conf->bytes letters */
	int64_t now_us;
	int64_t progress_us; /* when bench_progress was last called */
	uint64_t random;
	unsigned starting; /* neither off nor ready */
	unsigned ready;
	unsigned closing;
	unsigned resumed;      /* sessions (XEP-0198 §5) */
	bool forgiving;        /* connections that break are no errors */
	enum bench_echo echo;
	const char *mechanism; /* what the first login has chosen */
	/* what the mode sets before the first login */
	bool bind_only;            /* it enters by itself */
	bool keep_sessions;        /* with --sm: who comes back resumes */
	enum floor_kind floor_kind;
	unsigned floor_group;      /* clients in each */
	/* what the mode wants to know; each may be NULL */
	void (*on_ready)(struct client *c);
	void (*on_stanza)(struct client *c, struct elem *e);
	void (*on_lost)(struct client *c, enum client_end how);
	void (*on_timer)(struct bench *b); /* see bench_tick */
	void *data; /* the mode's own */
	uint64_t lost, doubled, reordered, errors;
	struct buf results;
};

#define SCRATCH_BYTES 65536

/* conf is borrowed until bench_done. */
void bench_init(struct bench *b, struct bench_conf *conf);
void bench_done(struct bench *b);
/* One turn of the loop; waits for at most ms. */
void bench_turn(struct bench *b, int ms);
/* Turns until done(b); false when nothing has moved for conf->patience
 * seconds, which counts as an error. */
bool bench_wait(struct bench *b, bool (*done)(struct bench *b));
/* Something moved. */
void bench_progress(struct bench *b);
/* Calls on_timer each period_us from now on; 0: no more. */
void bench_tick(struct bench *b, int64_t period_us);
void bench_error(struct bench *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
unsigned bench_random(struct bench *b, unsigned below);
/* How much of count goes before the measure, to warm the server up. */
unsigned bench_warm(const struct bench *b, unsigned count);
/* Clients first to first + n - 1 log in, conf->window at a time; the very first
 * one alone, to learn what the server does. */
bool bench_login(struct bench *b, unsigned first, unsigned n);
/* All streams are closed, at once. */
bool bench_logout(struct bench *b);

/* --- bench_proc.c: what the server used ----------------------------------- */

struct usage {
	int64_t wall_us;
	int64_t cpu_us;
};

/* The processes of the server, with commas between them. */
bool pids_parse(struct bench_conf *conf, const char *text);
void usage_now(const struct bench *b, struct usage *out);
/* Bytes of memory that only its processes have, their share of the rest, and 0
 * when there is no pid. */
uint64_t usage_bytes(const struct bench *b);
/* Waits until the server has nothing to do: under 1 ms of CPU in 50 ms. */
void usage_settle(struct bench *b);
/* Runs the command of --mark, if there is one; no client moves meanwhile. */
void usage_mark(struct bench *b);
/* The server comes to rest, and what is measured begins; it ends with
 * usage_result.  Both are marked. */
void usage_begin(struct bench *b, struct usage *out);
/* Adds "seconds", "per_second" and "server_cpu_ms_per_1000" of n things. */
void usage_result(struct bench *b, const struct usage *start, uint64_t n);
void result_add(struct bench *b, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void result_print(struct bench *b, const char *mode);

/* --- bench_hist.c: how long things took ----------------------------------- */

#define HIST_CELLS 1920

/* Up to 64 us exactly, then 32 cells for each doubling: 3 % at most. */
struct hist {
	uint64_t n, max_us;
	uint64_t cells[HIST_CELLS];
};

void hist_add(struct hist *h, int64_t us);
/* What a share of permyriad / 10000 did not exceed. */
uint64_t hist_at(const struct hist *h, unsigned permyriad);
/* Adds "<name>_p50_ms", p90, p99, p999 and "<name>_max_ms". */
void hist_result(struct bench *b, const char *name, const struct hist *h);

/* --- bench_order.c: from one sender to one recipient ----------------------- */

struct order {
	uint32_t sent;     /* the newest number, counting from 1 */
	uint32_t newest;   /* that has arrived */
	uint32_t arrived;  /* different ones */
	uint32_t excused;  /* numbers up to this one may be missing */
	uint32_t forgiven; /* that are missing, and may be */
	uint64_t seen;     /* the 64 before newest, newest at bit 0 */
};

/* Number n has arrived; adds to b->doubled and b->reordered. */
void order_arrived(struct bench *b, struct order *o, uint32_t n);
/* Nothing more will come; adds to b->lost. */
void order_end(struct bench *b, struct order *o);

/* --- bench_contacts.c ------------------------------------------------------- */

/* Client i becomes the nth contact of c, with a name and a group. */
void contact_send(struct client *c, unsigned i, unsigned n);

/* --- the modes -------------------------------------------------------------- */

struct bench_mode {
	const char *name, *help;
	bool (*run)(struct bench *b); /* false: it could not be finished */
	bool floor; /* makes sense against antiphon-floor */
};

bool mode_login(struct bench *b);
bool mode_idle(struct bench *b);
bool mode_ping(struct bench *b);
bool mode_chat(struct bench *b);
bool mode_open(struct bench *b);
bool mode_presence(struct bench *b);
bool mode_roster(struct bench *b);
bool mode_contacts(struct bench *b);
bool mode_offline(struct bench *b);
bool mode_pages(struct bench *b);
bool mode_return(struct bench *b);
bool mode_rooms(struct bench *b);
bool mode_enter(struct bench *b);
bool mode_soak(struct bench *b);
bool mode_kill(struct bench *b);

#endif
