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
#include "core/credentials.h"
#include "xml/elem.h"
#include "xml/parser.h"

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
	const char *mechanism; /* PLAIN or SCRAM-SHA-n */
	enum scram_hash hash;
	const char *state;     /* file of the mode kill */
	unsigned clients;
	unsigned window;  /* logins, messages or questions on their way */
	unsigned count;   /* messages, questions or rounds of each client */
	unsigned contacts;
	unsigned bytes;   /* of a message's body */
	unsigned seconds;
	unsigned patience; /* seconds without progress that end a run */
	unsigned seed;
	unsigned pace;     /* ms between two actions of one client */
	pid_t pids[PIDS_MAX]; /* of the server; none: 0 of them */
	unsigned n_pids;
	bool bare;        /* chat with bare addresses */
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
	CLIENT_BIND,
	CLIENT_READY,
	CLIENT_CLOSING,    /* we have closed the stream, and wait for the peer */
};

enum client_end { END_NONE, END_CLEAN, END_RESET, END_BROKEN };

struct client {
	struct bench *b;
	unsigned index; /* the account is "b<index>" */
	enum client_state state;
	enum client_end end; /* wanted: carried out when the callback is over */
	int fd;
	SSL *ssl;
	struct xml_parser *parser;
	struct buf out;
	struct client *next_dirty;
	bool dirty, want_write, handshake, restart, authenticated, in_feed;
	struct buf first_bare; /* SCRAM: our first message without its header */
	void *data;            /* the mode's own */
};

/* Connects, logs in and binds the resource "bench". */
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

struct bench {
	const struct bench_conf *conf;
	int epoll;
	SSL_CTX *tls;
	struct xml_pool *xml;
	struct scram_cache scram;
	struct client *clients;
	struct client *dirty;
	char *scratch; /* SCRATCH_BYTES */
	char *body;    /* of messages: conf->bytes letters */
	int64_t now_us;
	int64_t progress_us; /* when bench_progress was last called */
	uint64_t random;
	unsigned starting; /* neither off nor ready */
	unsigned ready;
	/* what the mode wants to know; each may be NULL */
	void (*on_ready)(struct client *c);
	void (*on_stanza)(struct client *c, struct elem *e);
	void (*on_lost)(struct client *c, enum client_end how);
	void *data; /* the mode's own */
	uint64_t lost, doubled, reordered, errors;
	struct buf results;
};

#define SCRATCH_BYTES 65536

void bench_init(struct bench *b, const struct bench_conf *conf);
void bench_done(struct bench *b);
/* One turn of the loop; waits for at most ms. */
void bench_turn(struct bench *b, int ms);
/* Turns until done(b); false when nothing has moved for conf->patience
 * seconds, which counts as an error. */
bool bench_wait(struct bench *b, bool (*done)(struct bench *b));
/* Something moved. */
void bench_progress(struct bench *b);
void bench_error(struct bench *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
unsigned bench_random(struct bench *b, unsigned below);
/* Clients first to first + n - 1 log in, conf->window at a time. */
bool bench_login(struct bench *b, unsigned first, unsigned n);
/* All streams are closed, at once. */
bool bench_logout(struct bench *b);

/* --- bench_proc.c: what the server used ----------------------------------- */

struct usage {
	int64_t wall_us;
	int64_t cpu_us;
};

void usage_now(const struct bench *b, struct usage *out);
/* Bytes of memory that only its processes have, their share of the rest, and 0
 * when there is no pid. */
uint64_t usage_bytes(const struct bench *b);
/* Waits until the server has nothing to do: under 1 ms of CPU in 50 ms. */
void usage_settle(struct bench *b);
/* Adds "seconds", "per_second" and "server_cpu_ms_per_1000" of n things. */
void usage_result(struct bench *b, const struct usage *start, uint64_t n);
void result_add(struct bench *b, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void result_print(struct bench *b, const char *mode);

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

/* --- the modes -------------------------------------------------------------- */

struct bench_mode {
	const char *name, *help;
	bool (*run)(struct bench *b); /* false: it could not be finished */
};

bool mode_login(struct bench *b);
bool mode_idle(struct bench *b);
bool mode_ping(struct bench *b);
bool mode_chat(struct bench *b);
bool mode_presence(struct bench *b);
bool mode_roster(struct bench *b);
bool mode_offline(struct bench *b);
bool mode_soak(struct bench *b);
bool mode_kill(struct bench *b);

#endif
