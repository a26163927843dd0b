/*
 * server_dns.h - the server's own resolver: names are looked up for whoever asks, by
 * the configuration that is in force.
 *
 * There is none before somebody asks.  A reload has another one made, with files read
 * anew and an empty cache, at the next question; the one before ends when all that it
 * was asked is answered.
 */
#ifndef SERVER_SERVER_DNS_H
#define SERVER_SERVER_DNS_H

struct dns_question;
struct server;
struct shard;

/* --- owner shard ------------------------------------------------------------ */

/* q is taken until q->done is called on this shard: once, whatever happens, and never
 * before this has returned. */
void server_dns_ask(struct shard *sh, struct dns_question *q);

/* --- for server_stop(), after the threads of the shards ----------------------- */

/* What is asked, and will be, is answered at once. */
void server_dns_stop(struct server *srv);
/* Nobody asks any more: all answers are in the mailboxes after it. */
void server_dns_free(struct server *srv);

#endif
