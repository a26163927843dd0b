/*
 * server_disk.h - the disk of a server, which reads and writes the files that users
 * exchange.
 */
#ifndef SERVER_SERVER_DISK_H
#define SERVER_SERVER_DISK_H

struct server;

/* Start-up. */
void server_disk_open(struct server *srv);
/* Shard 0: another configuration is in force. */
void server_disk_follow(struct server *srv);

#endif
