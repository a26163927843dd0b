/*
 * disk_send.c - a file that goes out by a connection.
 *
 *   in the clear   LENT --a portion is out--> LENT ...  --the last--> sent()
 *                    `--the peer takes no more--> ROOM --the loop: room--> LENT
 *   else           ROOM --in memory: written--> ROOM ... --all is out--> sent()
 *                    `--it is not--> READING, a disk thread --> written --> ROOM
 *
 * The last portion, and what is small as a whole, is sent the second way in the clear
 * too, if it is in memory: that costs less than to wake a thread.  One in memory has no
 * loop that announces room: it goes on whenever its queue is empty.
 *
 * Owner shard; what runs on a disk thread says so.  Invariant: while LENT or READING
 * the job has the whole of struct send but `ended', which is the shard's.
 */
#include "config.h"

#include "disk/disk_send.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/memuse.h"
#include "base/tag.h"
#include "net/conn.h"
#include "net/conn_guest.h"
#include "disk/disk_int.h"

/* What a thread sends before others have their turn: it has to be woken for each, which
 * costs as much as to send some 100 KiB.  So much is there room for only where the peer
 * is as fast as we are: the system's buffer is of that size at most (tcp_wmem). */
#define PORTION_LENT ((size_t)4 * 1024 * 1024)
/* What a shard copies, and encrypts, in one turn. */
#define PORTION_WRITTEN ((size_t)64 * 1024)

enum send_state { SEND_ROOM, SEND_LENT, SEND_READING };

/* What a portion has come to. */
enum send_end {
	SEND_DONE,
	SEND_FULL,   /* the peer takes no more now */
	SEND_CANNOT, /* no sendfile() from such a file */
	SEND_BROKEN, /* with err */
};

struct send {
	struct conn_guest guest;
	uint32_t tag;
	struct conn *conn;
	struct disk_file *file;
	uint64_t at, left;
	void (*sent)(void *arg);
	void *arg;
	enum send_state state;
	bool is_copied; /* never lent */
	bool begun;
	bool ended; /* the connection has, meanwhile */
	/* the job's */
	int fd;
	size_t n, done;
	char *p; /* read */
	enum send_end end;
	struct err err;
};

static void send_next(struct send *s);

static struct send *
send_arg(void *arg)
{
	struct send *s = arg;

	TAG_CHECK(s, "send");
	return s;
}

static struct send *
send_of(struct conn_guest *g)
{
	return send_arg(CONTAINER_OF(g, struct send, guest));
}

static void
send_free(struct send *s)
{
	disk_file_unuse(s->file);
	TAG_CLEAR(s);
	memuse_remove_part(MEMUSE_FILE, s);
	free(s);
}

/* All is out. */
static void
send_finish(struct send *s)
{
	void (*sent)(void *arg) = s->sent;
	void *arg = s->arg;

	conn_set_guest(s->conn, NULL);
	send_free(s);
	sent(arg);
}

static void
send_break(struct send *s, const struct err *why)
{
	conn_reset(s->conn, why); /* on_ended() frees s */
}

static bool
send_is_short(struct err *err)
{
	return err_set(err, ERR_MISSING, "a file became shorter while it was sent");
}

/* --- lent ----------------------------------------------------------------------- */

/* Disk thread. */
static void
lent_work(void *arg)
{
	struct send *s = send_arg(arg);
	off_t at = (off_t)s->at;
	ssize_t n = 1;

	s->done = 0;
	s->end = SEND_DONE;
	while (s->done < s->n && n > 0) {
		do
			n = sendfile(s->fd, s->file->fd, &at, s->n - s->done);
		while (n == -1 && errno == EINTR);
		s->done += (size_t)MAX(n, 0);
	}
	if (n > 0)
		return;
	s->end = n == 0 ? SEND_BROKEN :
		errno == EAGAIN ? SEND_FULL :
		errno == EINVAL || errno == ENOSYS ? SEND_CANNOT :
						     SEND_BROKEN;
	if (n == 0)
		send_is_short(&s->err);
	else if (errno == EPIPE || errno == ECONNRESET)
		err_set(&s->err, ERR_CLOSED, "the peer closed the connection");
	else
		disk_errno(&s->err, "send", "a file");
}

/* The loop says when there is room. */
static void
send_wait(struct send *s)
{
	s->is_copied = s->is_copied || s->end == SEND_CANNOT;
	conn_arm(s->conn);
}

static void
lent_done(void *arg)
{
	struct send *s = send_arg(arg);

	s->state = SEND_ROOM;
	s->at += s->done;
	s->left -= s->done;
	conn_take_back(s->conn, s->done);
	if (s->ended)
		send_free(s);
	else if (s->left == 0)
		send_finish(s);
	else if (s->end == SEND_BROKEN)
		send_break(s, &s->err);
	else if (s->end == SEND_DONE)
		send_next(s);
	else
		send_wait(s);
}

static void
send_lend(struct send *s)
{
	s->n = (size_t)MIN(s->left, (uint64_t)PORTION_LENT);
	s->state = SEND_LENT;
	s->fd = conn_lend(s->conn);
	disk_run(s->file->disk, lent_work, s->file->reply, lent_done, s);
}

/* --- copied --------------------------------------------------------------------- */

/* Disk thread. */
static void
read_work(void *arg)
{
	struct send *s = send_arg(arg);
	ssize_t n = 1;

	s->p = disk_new_buffer(s->n);
	s->done = 0;
	while (s->done < s->n && n > 0) {
		do
			n = pread(s->file->fd, s->p + s->done, s->n - s->done,
				(off_t)(s->at + s->done));
		while (n == -1 && errno == EINTR);
		s->done += (size_t)MAX(n, 0);
	}
	s->end = n > 0 ? SEND_DONE : SEND_BROKEN;
	if (n == 0)
		send_is_short(&s->err);
	else if (n == -1)
		disk_errno(&s->err, "read", "a file");
}

static void
send_wrote(struct send *s, size_t n)
{
	s->at += n;
	s->left -= n;
	conn_wrote(s->conn);
}

static void
read_done(void *arg)
{
	struct send *s = send_arg(arg);

	s->state = SEND_ROOM;
	if (s->ended) {
		disk_free_buffer(s->p);
		send_free(s);
		return;
	}
	if (s->end == SEND_DONE) {
		buf_add(conn_out(s->conn), s->p, s->done);
		send_wrote(s, s->done);
	}
	disk_free_buffer(s->p);
	if (s->end == SEND_BROKEN)
		send_break(s, &s->err);
	else
		conn_arm(s->conn);
}

static void
send_read(struct send *s)
{
	s->state = SEND_READING;
	conn_arm(s->conn);
	disk_run(s->file->disk, read_work, s->file->reply, read_done, s);
}

/* False: it is not in memory, or the kernel cannot tell. */
static bool
send_from_memory(struct send *s)
{
	struct buf *out = conn_out(s->conn);
	struct iovec iov = { .iov_base = buf_reserve(out, s->n),
		.iov_len = s->n };
	ssize_t n = preadv2(s->file->fd, &iov, 1, (off_t)s->at, RWF_NOWAIT);

	if (n <= 0)
		return false; /* a thread finds out why */
	out->n += (size_t)n;
	send_wrote(s, (size_t)n);
	return true;
}

/* --- one portion ---------------------------------------------------------------- */

static void
send_next(struct send *s)
{
	s->n = (size_t)MIN(s->left, (uint64_t)PORTION_WRITTEN);
	if ((s->is_copied || s->n == s->left) && send_from_memory(s))
		return;
	if (s->is_copied)
		send_read(s);
	else
		send_lend(s);
}

/* --- the guest ------------------------------------------------------------------ */

static short
on_wants(struct conn *c, struct conn_guest *g)
{
	const struct send *s = send_of(g);

	(void)c;
	return s->begun && s->state == SEND_ROOM && s->left > 0 ? EV_WRITE : 0;
}

static void
on_ready(struct conn *c, struct conn_guest *g, short what)
{
	struct send *s = send_of(g);

	/* what is queued goes out first */
	if ((what & EV_WRITE) != 0 && s->begun && s->state == SEND_ROOM &&
		s->left > 0 && conn_queued(c) == 0)
		send_next(s);
}

static void
on_drained(struct conn *c, struct conn_guest *g)
{
	struct send *s = send_of(g);

	if (s->state != SEND_ROOM)
		return;
	if (s->left == 0) {
		send_finish(s);
	} else if (!s->begun || conn_kind(c) == CONN_MEM) {
		s->begun = true;
		send_next(s);
	}
}

static void
on_ended(struct conn *c, struct conn_guest *g)
{
	struct send *s = send_of(g);

	(void)c;
	s->ended = true;
	if (s->state == SEND_ROOM)
		send_free(s);
}

static const struct conn_guest_kind send_kind = {
	on_wants,
	on_ready,
	on_drained,
	on_ended,
};

void
disk_send(struct conn *c, struct disk_file *f, uint64_t from, uint64_t n,
	void (*sent)(void *arg), void *arg)
{
	struct send *s = xcalloc(1, sizeof(*s));

	assert(n > 0 && from <= f->size && n <= f->size - from && !f->closed);
	TAG_SET(s, "send");
	memuse_add_part(MEMUSE_FILE, s);
	s->guest.kind = &send_kind;
	s->conn = c;
	s->file = f;
	s->at = from;
	s->left = n;
	s->sent = sent;
	s->arg = arg;
	s->is_copied = conn_is_secure(c) || conn_kind(c) == CONN_MEM;
	disk_file_use(f);
	conn_set_guest(c, &s->guest);
}
