/*
 * disk_send.h - a file that goes out by a connection, without passing through us where
 * that can be.
 *
 *	in the clear	the socket is lent to a disk thread, for one portion of
 *			sendfile(2); when the peer takes no more, the shard waits for
 *			room
 *	under TLS	the shard reads what is in memory (RWF_NOWAIT), a disk thread
 *			what is not, and the shard writes it, a portion a turn
 *
 * Owner shard of the connection.  While a file is sent nothing is read from the
 * connection, and its owner writes nothing.
 */
#ifndef DISK_DISK_SEND_H
#define DISK_DISK_SEND_H

#include <stdint.h>

struct conn;
struct disk_file;

/*
 * Sends n > 0 bytes of f from `from` on (both within disk_file_size()) behind what is
 * queued at c, which is open, and not sending already.  f is borrowed, and was opened
 * with the mailbox of the shard of c.
 *
 * One of these follows, once, and not before this has returned:
 *  - sent(arg): the kernel has all of it (conn_taken() tells what the peer has).  The
 *    connection is its owner's again: he may write, close, or read on.
 *  - closed() of the owner of c: the peer is gone, the owner has closed or aborted c
 *    meanwhile, or the file could not be read or is shorter than it was (then what has
 *    gone out is not the whole, nothing is put in its place, and the peer sees a
 *    reset).  closed() comes when no thread has the socket any more, maybe some time
 *    after conn_abort().
 * c is not moved (conn_detach()) between.  Nothing here measures time: who takes too
 * little is found by conn_taken(), and ended by conn_abort().
 */
void disk_send(struct conn *c, struct disk_file *f, uint64_t from, uint64_t n,
	void (*sent)(void *arg), void *arg);

#endif
