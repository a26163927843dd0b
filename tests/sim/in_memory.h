/*
 * in_memory.h - a whole server in one thread, whose turns, clock and connections
 * are the caller's.
 */
#ifndef SIM_IN_MEMORY_H
#define SIM_IN_MEMORY_H

struct buf;
struct clock_manual;
struct server;
struct server_env;

/* 2026-11-21T00:00:00Z, for its clock. */
#define IN_MEMORY_START_US (INT64_C(1795219200) * US_PER_S)

/* "what: why" on stderr, and the end of the process. */
_Noreturn void in_memory_die(const char *what, const char *why);
/* With the configuration in yaml (which is freed) and the modules of
 * module_dir; env says the rest.  Ends the process when it cannot. */
struct server *in_memory_start(
	struct server_env *env, const char *module_dir, struct buf *yaml);
/* Closes all streams, and the server; settle lets it take its turns. */
void in_memory_stop(struct server *srv, struct clock_manual *clock,
	void (*settle)(void *arg), void *arg);

/* As at SIGTERM: sessions that can sleep are saved; then the same. */
void in_memory_stop_asleep(struct server *srv, struct clock_manual *clock,
	void (*settle)(void *arg), void *arg);

#endif
