/*
 * sim_client.h - a client of one of the users that are simulated, of one server
 * (sim.c) or of two (sim_s2s.c): it counts what it sends, as its server does, and
 * remembers whom it sees.
 *
 * One thread.
 */
#ifndef SIM_SIM_CLIENT_H
#define SIM_SIM_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "base/vec.h"
#include "device.h"
#include "world.h"

#define USERS 6
#define CLIENTS 2 /* of each user */

struct elem;
struct sim;

/* A message that nobody had got before. */
struct arrival {
	unsigned from, serial;
};

/* A message that the server has yet to acknowledge. */
struct said {
	unsigned to, serial;
	uint32_t number; /* among all that was sent since it counts */
};

struct sim_client {
	union {
		struct client c;
		struct device d; /* which begins with it: if it is managed */
	};
	bool managed; /* it has stream management (XEP-0198) */
	/* Then: what comes; and it begins another session, in which it says again
	 * what was not acknowledged. */
	void (*got)(struct sim_client *sc, const struct elem *e);
	void (*begins)(struct sim_client *sc);
	struct sim *sim;
	unsigned user, index;
	bool leaving; /* has said goodbye: what it says now is not heard */
	int last[USERS][CLIENTS]; /* number of the last message, by sender */
	bool asked;        /* the server to count what it sends */
	uint32_t n_sent;   /* since then */
	bool counted;      /* it does */
	struct VEC(struct said) said;
	bool sees[USERS][CLIENTS];
	bool invisible; /* it has asked for that: nobody sees it */
	struct VEC(struct arrival) arrivals; /* of one server */
	bool wished[USERS]; /* of two: something about seeing them, in this session */
};

/* --- of each simulation --------------------------------------------------------- */

void sim_fail(struct sim *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Its sender knows that it is dealt with. */
void sim_acked(struct sim *s, unsigned user, const struct said *m);

/* --- sim_client.c --------------------------------------------------------------- */

void user_init(struct sim_client *sc, struct sim *s, struct world *w,
	unsigned user, unsigned index, const char *domain);
/* Behind that: it is managed, and has .got and .begins. */
void user_manage(struct sim_client *sc);
/* What it holds but for its connection, which client_done() ends. */
void user_done(struct sim_client *sc);
/* It begins to log in, as one of which nothing is known; or, if it is managed, to
 * resume its session. */
void user_connect(struct sim_client *sc, int priority);
/* It is about to leave, and has all that has come: else that would come again. */
void user_ends(struct sim_client *sc);
/* Its session is there, and knows how far it is. */
bool user_is_counted(const struct sim_client *sc);
/* A message that it may say again. */
bool user_may_repeat(const struct sim_client *sc, unsigned to, unsigned serial);

void user_send(struct sim_client *sc, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The message that was just sent is one of those that count. */
void user_said(struct sim_client *sc, unsigned to, unsigned serial);
/* Begins to count, or asks how far it is (mod_testresume). */
void user_ask(struct sim_client *sc);
/* The answer. */
void user_counted(struct sim_client *sc, const struct elem *e);
/* All has been acknowledged that was sent. */
void user_check_acked(const struct sim_client *sc);

/* "u3@sim.example/r1"; *index_out is CLIENTS where there is no resource.  False: it
 * is nobody's. */
bool user_parse(struct str from, unsigned *user_out, unsigned *index_out);
/* What its account knows of the other one's. */
uint8_t user_state(const struct sim_client *of, const struct sim_client *other);
/* It sees what it is entitled to. */
void user_check_sees(const struct sim_client *at, const struct sim_client *other,
	bool entitled, bool online);

#endif
