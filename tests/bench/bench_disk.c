/*
 * bench_disk.c - what a file costs that goes out by a connection, or comes in: processor
 * time for each GiB, of our side alone, beside the least that can be done.
 *
 *	bench_disk FOLDER [MIB [WHICH]]
 *
 *	send floor	sendfile(2) in a loop, waiting when the peer takes no more
 *	send		disk_send(), with one disk thread and one loop
 *	receive floor	recv(2) into a buffer of 256 KiB, write(2)
 *	receive		struct conn_events.place, and a draft, without its sync
 *	receive copied	the same by disk_draft_write()
 *	receive synced	with its sync
 *
 * The peer is a process of its own, on loopback, whose time does not count.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/err.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "net/conn.h"
#include "net/net.h"
#include "disk/disk.h"
#include "disk/disk_send.h"

#define PIECE ((size_t)256 * 1024)
#define NEED(expr)                                                             \
	do {                                                                   \
		if (!(expr)) {                                                 \
			perror("bench_disk: " #expr);                          \
			exit(1);                                               \
		}                                                              \
	} while (0)

static const char *folder;
static size_t size;
static const char *only; /* of what is measured; NULL: all */
static char bytes[PIECE];

/* --- the peer ------------------------------------------------------------------- */

/* Our side of a connection to a process that takes all there is, or sends size bytes. */
static int
peer_start(bool sends, pid_t *pid_out)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t n = sizeof(sa);
	int listening = socket(AF_INET, SOCK_STREAM, 0), fd;
	size_t left = size;
	ssize_t done = 1;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	NEED(bind(listening, (struct sockaddr *)&sa, n) == 0);
	NEED(listen(listening, 1) == 0);
	NEED(getsockname(listening, (struct sockaddr *)&sa, &n) == 0);
	*pid_out = fork();
	NEED(*pid_out != -1);
	if (*pid_out != 0) {
		fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		NEED(fd != -1);
		close(listening);
		return fd;
	}
	fd = socket(AF_INET, SOCK_STREAM, 0);
	NEED(connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
	for (; done > 0 && left > 0; left -= (size_t)MAX(done, 0))
		done = sends ? send(fd, bytes, MIN(left, PIECE), 0) :
			       recv(fd, bytes, PIECE, 0);
	_exit(left != 0);
}

static void
peer_end(pid_t pid)
{
	int status;

	NEED(waitpid(pid, &status, 0) == pid);
	NEED(status == 0);
}

static void
wait_for(int fd, short what)
{
	struct pollfd pfd = { .fd = fd, .events = what };

	NEED(poll(&pfd, 1, -1) == 1);
}

/* --- the floor ------------------------------------------------------------------- */

static void
path_of(char out[400], const char *name)
{
	snprintf(out, 400, "%s/%s", folder, name);
}

static void
send_floor(void)
{
	pid_t pid;
	int fd = peer_start(false, &pid), file;
	char path[400];
	off_t at = 0;

	path_of(path, "out");
	file = open(path, O_RDONLY);
	NEED(file != -1);
	while ((size_t)at < size) {
		if (sendfile(fd, file, &at, size - (size_t)at) == -1) {
			NEED(errno == EAGAIN);
			wait_for(fd, POLLOUT);
		}
	}
	close(file);
	peer_end(pid);
	close(fd);
}

static void
receive_floor(void)
{
	pid_t pid;
	int fd = peer_start(true, &pid), file;
	size_t left = size;
	char path[400];

	path_of(path, "in");
	file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	NEED(file != -1);
	while (left > 0) {
		ssize_t n = recv(fd, bytes, PIECE, 0);

		if (n == -1) {
			NEED(errno == EAGAIN);
			wait_for(fd, POLLIN);
			continue;
		}
		NEED(n > 0 && write(file, bytes, (size_t)n) == n);
		left -= (size_t)n;
	}
	close(file);
	peer_end(pid);
	close(fd);
	unlink(path);
}

/* --- ours -------------------------------------------------------------------------- */

struct ours {
	struct event_base *base;
	struct event *mail;
	struct net *net;
	struct mailbox box;
	struct disk *disk;
	struct disk_folder *dir;
	struct conn *conn;
	struct disk_file *file;
	struct disk_draft *draft;
	size_t got;
	bool copies, syncs, done, closed;
};

static void
on_mail(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	mailbox_drain(&((struct ours *)arg)->box, NULL, 64);
}

static void
on_data(void *arg, const char *p, size_t n)
{
	struct ours *o = arg;
	bool more;

	o->got += n;
	more = o->copies ? disk_draft_write(o->draft, p, n) :
			   disk_draft_put(o->draft, n);
	if (o->got == size)
		disk_draft_finish(o->draft, STR("in"), o->syncs);
	else if (!more)
		conn_pause(o->conn);
}

static char *
on_place(void *arg, size_t *n_out)
{
	struct ours *o = arg;

	return o->copies || o->got == size ?
		NULL :
		disk_draft_place(o->draft, n_out);
}

static void
on_closed(void *arg, const struct err *why)
{
	(void)why;
	((struct ours *)arg)->closed = true;
}

static const struct conn_events events = {
	.data = on_data,
	.closed = on_closed,
	.place = on_place,
};

static void
on_room(void *arg)
{
	conn_resume(((struct ours *)arg)->conn);
}

static void
on_failed(void *arg, const struct err *why)
{
	(void)arg;
	fprintf(stderr, "bench_disk: %s\n", why->text);
	exit(1);
}

static void
on_done(void *arg)
{
	((struct ours *)arg)->done = true;
}

static const struct disk_draft_events draft_events = { on_room, on_failed, on_done };

static void
on_opened(void *arg, struct disk_file *f, const struct err *why)
{
	NEED(why == NULL);
	((struct ours *)arg)->file = f;
}

static void
ours_init(struct ours *o, int fd)
{
	struct err err = ERR_INIT;

	*o = (struct ours){ .base = event_base_new() };
	o->net = net_new(o->base);
	NEED(mailbox_init(&o->box, &err));
	o->mail = event_new(o->base, o->box.fd, EV_READ | EV_PERSIST, on_mail, o);
	event_add(o->mail, NULL);
	o->disk = disk_new(1, &(struct disk_bounds){ 10, 16 << 20 });
	o->dir = disk_folder_new(o->disk, folder);
	o->conn = conn_new_tcp(o->net, fd, NULL, 0);
}

static void
ours_turn(struct ours *o)
{
	event_base_loop(o->base, EVLOOP_ONCE);
	net_flush(o->net);
}

static void
ours_done(struct ours *o)
{
	if (!o->closed)
		conn_abort(o->conn);
	net_flush(o->net);
	disk_file_close(o->file);
	while (disk_waiting(o->disk) != 0 || mailbox_depth(&o->box).mails != 0)
		mailbox_drain(&o->box, NULL, 64);
	disk_stop(o->disk);
	disk_folder_unref(o->dir);
	disk_free(o->disk);
	event_free(o->mail);
	net_free(o->net);
	mailbox_done(&o->box);
	event_base_free(o->base);
}

static void
send_ours(void)
{
	pid_t pid;
	struct ours o;
	struct err err = ERR_INIT;

	ours_init(&o, peer_start(false, &pid));
	NEED(disk_open(o.dir, STR("out"), &o.box, on_opened, &o, &err));
	while (o.file == NULL)
		ours_turn(&o);
	conn_set_owner(o.conn, &events, &o);
	disk_send(o.conn, o.file, 0, size, on_done, &o);
	net_flush(o.net);
	while (!o.done)
		ours_turn(&o);
	peer_end(pid);
	ours_done(&o);
}

static void
receive(bool copies, bool syncs)
{
	pid_t pid;
	struct ours o;
	struct err err = ERR_INIT;
	char path[400];

	ours_init(&o, peer_start(true, &pid));
	o.copies = copies;
	o.syncs = syncs;
	o.draft = disk_draft_new(o.dir, &o.box, &draft_events, &o, &err);
	NEED(o.draft != NULL);
	conn_set_owner(o.conn, &events, &o);
	while (!o.done)
		ours_turn(&o);
	peer_end(pid);
	ours_done(&o);
	path_of(path, "in");
	unlink(path);
}

static void
receive_ours(void)
{
	receive(false, false);
}

static void
receive_copied(void)
{
	receive(true, false);
}

static void
receive_synced(void)
{
	receive(false, true);
}

/* --- measuring ----------------------------------------------------------------------- */

static double
seconds(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

static void
measure(const char *what, void (*fn)(void))
{
	struct rusage before, after;
	struct timespec from, to;
	double gib = (double)size / (1 << 30), user, sys, took;

	if (only != NULL && strcmp(what, only) != 0)
		return;
	getrusage(RUSAGE_SELF, &before);
	clock_gettime(CLOCK_MONOTONIC, &from);
	fn();
	clock_gettime(CLOCK_MONOTONIC, &to);
	getrusage(RUSAGE_SELF, &after);
	user = (seconds(after.ru_utime) - seconds(before.ru_utime)) / gib;
	sys = (seconds(after.ru_stime) - seconds(before.ru_stime)) / gib;
	took = (double)(to.tv_sec - from.tv_sec) +
		(double)(to.tv_nsec - from.tv_nsec) / 1e9;
	printf("%-16s %6.3f s/GiB (user %.3f, system %.3f), %7.0f MiB/s\n", what,
		user + sys, user, sys, (double)size / (1 << 20) / took);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	char path[400];
	int fd;

	if (argc < 2) {
		fprintf(stderr, "usage: bench_disk FOLDER [MIB [WHICH]]\n");
		return 2;
	}
	folder = argv[1];
	size = (size_t)(argc > 2 ? atoi(argv[2]) : 1024) << 20;
	only = argc > 3 ? argv[3] : NULL;
	path_of(path, "out");
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	NEED(fd != -1);
	for (size_t at = 0; at < size; at += PIECE)
		NEED(write(fd, bytes, PIECE) == (ssize_t)PIECE);
	close(fd);
	for (int i = 0; i < 3; i++) {
		measure("send floor", send_floor);
		measure("send", send_ours);
		measure("receive floor", receive_floor);
		measure("receive", receive_ours);
		measure("receive copied", receive_copied);
		measure("receive synced", receive_synced);
	}
	unlink(path);
	return 0;
}
