/*
 * trouble.h - what befalls sessions in tests with random orders: their accounts are
 * read anew, they are kicked, saved and restored, and the disk refuses things; and
 * what has to be left of them in the end.
 */
#ifndef SIM_TROUBLE_H
#define SIM_TROUBLE_H

struct client;
struct shard;
struct world;

/* For shard_post(): every account in memory is read anew. */
void trouble_read_anew(struct shard *sh, void *arg);
/* For shard_post(): as by a restart, for sessions that sleep and for which nothing
 * is under way. */
void trouble_save_and_restore(struct shard *sh, void *arg);
/* Its session, by an administrator. */
void trouble_kick(const struct client *c);
/* Errors are what is wanted: none is logged. */
void trouble_quiet(void);
/* One commit of six fails, until store_fail_when(). */
void trouble_disk(struct world *w);
/* No session, and nothing that has waited for one. */
void trouble_nothing_left(const struct world *w);

#endif
