/*
 * test_disk_send.c - a file that goes out by a connection: all of it, in order, or
 * what the peer sees when that cannot be.
 */
#include "config.h"

#include "disk/disk_send.h"

#include <errno.h>
#include <semaphore.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/memuse.h"
#include "net/net_int.h"
#include "disk/disk_int.h"
#include "disk_world.h"
#include "net_peer.h"
#include "test.h"

#define LARGE ((size_t)5 << 20)

struct scene {
	struct disk_world *world;
	struct pair *pair;
	struct disk_file *file;
	char *bytes; /* of the file */
	int sent;
};

/* Of a test, for with_and_without_tls(). */
static struct scene scene;
static size_t file_size;

static void
scene_open(struct disk_world *w, unsigned n_threads, size_t size)
{
	struct disk_heard heard;

	disk_world_init(w, n_threads);
	scene = (struct scene){ .world = w, .bytes = disk_bytes(size) };
	file_size = size;
	disk_world_put(w, "file", scene.bytes, size);
	scene.file = disk_world_open(w, "file", &heard);
	CHECK(scene.file != NULL);
}

static void
scene_close(struct disk_world *w)
{
	disk_file_close(scene.file);
	disk_world_done(w);
	free(scene.bytes);
	CHECK_INT(memuse_sum(MEMUSE_FILE).bytes, 0);
}

static void
on_sent(void *arg)
{
	struct pair *p = arg;

	CHECK_INT(p->server.closed, 0);
	scene.sent++;
}

/* The loop of a shard: what the network brought, mail, and the writes. */
static void
turn(struct pair *p)
{
	mailbox_drain(&scene.world->box, NULL, 64);
	pair_turn(p);
}

#define UNTIL(p, expr)                                                         \
	do {                                                                   \
		for (int i_ = 0; i_ < 2000000 && !(expr); i_++)                \
			turn(p);                                               \
		CHECK(expr);                                                   \
	} while (0)

/* Without the peer. */
static void
turn_alone(struct pair *p)
{
	mailbox_drain(&scene.world->box, NULL, 64);
	event_base_loop(p->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	net_flush(p->net);
}

/* Nothing is with the disk, nor has it answered. */
static bool
is_quiet(void)
{
	return disk_waiting(scene.world->disk) == 0 &&
		mailbox_depth(&scene.world->box).mails == 0;
}

static void
send_part(struct pair *p, size_t from, size_t n)
{
	scene.sent = 0;
	disk_send(p->server.c, scene.file, from, n, on_sent, p);
	CHECK_INT(scene.sent, 0);
}

/* --- all of it -------------------------------------------------------------------- */

/* From here and there, so much, several times by one connection; in front something
 * that was written, and behind it. */
static void
parts(struct pair *p)
{
	static const size_t sizes[] = { 1, 100, 65535, 65536, 65537, 131073,
		(1 << 20) - 1, 1 << 20, (1 << 20) + 1, (2 << 20) + 70000 };

	for (size_t i = 0; i < COUNT(sizes); i++) {
		size_t from = i * 12345, n = sizes[i];
		uint64_t given;

		p->in.n = 0;
		given = conn_taken(p->server.c);
		conn_write(p->server.c, "head:", 5);
		send_part(p, from, n);
		UNTIL(p, scene.sent == 1);
		conn_write(p->server.c, ":tail", 5);
		UNTIL(p, p->in.n == n + 10 && is_quiet());
		CHECK(memcmp(p->in.p, "head:", 5) == 0);
		CHECK(memcmp(p->in.p + 5, scene.bytes + from, n) == 0);
		CHECK(memcmp(p->in.p + 5 + n, ":tail", 5) == 0);
		CHECK_INT(scene.sent, 1);
		UNTIL(p, conn_taken(p->server.c) - given == n + 10);
		/* the connection is its owner's again */
		p->server.in.n = 0;
		pair_say(p, "next", 4);
		UNTIL(p, p->server.in.n == 4);
		CHECK_INT(p->server.closed, 0);
	}
}

TEST(a_peer_gets_the_bytes_that_were_asked_for)
{
	struct disk_world w;

	scene_open(&w, 2, LARGE);
	with_and_without_tls(parts, false);
	scene_close(&w);
}

TEST(a_peer_with_little_room_gets_the_same)
{
	struct disk_world w;

	scene_open(&w, 1, LARGE);
	with_and_without_tls(parts, true);
	scene_close(&w);
}

TEST(without_threads_a_peer_gets_the_same)
{
	struct disk_world w;

	scene_open(&w, 0, LARGE);
	with_and_without_tls(parts, false);
	scene_close(&w);
}

/* What is not in memory comes by a thread. */
static void
cold(struct pair *p)
{
	char path[100];
	int fd;

	snprintf(path, sizeof(path), "%s/file", scene.world->path);
	fd = open(path, O_RDWR);
	CHECK(fd != -1);
	CHECK(fsync(fd) == 0);
	CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
	close(fd);
	send_part(p, 0, LARGE);
	UNTIL(p, scene.sent == 1 && p->in.n == LARGE);
	CHECK(memcmp(p->in.p, scene.bytes, LARGE) == 0);
}

TEST(what_is_not_in_memory_is_read_for_it)
{
	struct disk_world w;

	scene_open(&w, 2, LARGE);
	with_and_without_tls(cold, false);
	scene_close(&w);
}

struct sink {
	struct buf got;
};

static void
on_mem_write(void *arg, const char *p, size_t n)
{
	buf_add(&((struct sink *)arg)->got, p, n);
}

TEST(a_connection_in_memory_gets_it_too)
{
	struct sink sink = { .got = BUF_INIT };
	struct conn_mem_sink to = { .write = on_mem_write, .arg = &sink };
	struct disk_world w;
	struct pair p = { .net = net_new(NULL) };

	scene_open(&w, 0, 1000000);
	p.server.c = conn_new_mem(p.net, &to);
	conn_set_owner(p.server.c, &seen_events, &p.server);
	conn_mem_take(p.server.c, 300000);
	conn_write(p.server.c, "head", 4);
	send_part(&p, 10, 999990);
	conn_mem_feed(p.server.c, "early", 5);
	for (int i = 0; i < 100; i++) {
		mailbox_drain(&w.box, NULL, 64);
		net_flush(p.net);
	}
	CHECK_INT(sink.got.n, 300000);
	CHECK_INT(scene.sent, 0);
	conn_mem_take(p.server.c, SIZE_MAX);
	for (int i = 0; i < 1000 && scene.sent == 0; i++) {
		mailbox_drain(&w.box, NULL, 64);
		net_flush(p.net);
	}
	CHECK_INT(scene.sent, 1);
	CHECK_INT(sink.got.n, 999994);
	CHECK(memcmp(sink.got.p + 4, scene.bytes + 10, 999990) == 0);
	net_flush(p.net);
	CHECK_STR(buf_str(&p.server.in), "early");
	conn_abort(p.server.c);
	net_flush(p.net);
	net_free(p.net);
	buf_done(&p.server.in);
	buf_done(&sink.got);
	scene_close(&w);
}

static void
on_sent_close(void *arg)
{
	struct pair *p = arg;

	scene.sent++;
	conn_close(p->server.c, 1000000);
}

static void
close_at_the_end(struct pair *p)
{
	scene.sent = 0;
	disk_send(p->server.c, scene.file, 0, LARGE, on_sent_close, p);
	UNTIL(p, p->client_eof);
	CHECK_INT(scene.sent, 1);
	CHECK_INT(p->in.n, LARGE);
	CHECK(memcmp(p->in.p, scene.bytes, LARGE) == 0);
	close(p->fd);
	p->fd = -1;
	UNTIL(p, p->server.closed == 1);
	CHECK(!p->server.broken);
}

TEST(who_closes_when_it_is_sent_loses_nothing)
{
	struct disk_world w;

	scene_open(&w, 1, LARGE);
	with_and_without_tls(close_at_the_end, true);
	scene_close(&w);
}

/* --- a peer that does not take it --------------------------------------------------- */

static void
rest(struct pair *p)
{
	uint64_t taken;

	send_part(p, 0, LARGE);
	/* with nobody who reads, it comes to a stand */
	for (int i = 0; i < 20000; i++)
		turn_alone(p);
	while (!is_quiet())
		turn_alone(p);
	taken = conn_taken(p->server.c);
	CHECK(taken < LARGE);
	CHECK(conn_queued(p->server.c) <= 65536);
	for (int i = 0; i < 1000; i++)
		turn_alone(p);
	CHECK_INT(conn_taken(p->server.c), taken);
	CHECK(is_quiet());
	CHECK_INT(scene.sent, 0);
	conn_abort(p->server.c);
	net_flush(p->net);
	CHECK_INT(p->server.closed, 1);
	CHECK(!p->server.broken);
	UNTIL(p, p->client_broken || p->client_eof);
	CHECK_INT(scene.sent, 0);
}

TEST(a_peer_that_does_not_read_costs_one_portion)
{
	struct disk_world w;

	scene_open(&w, 1, LARGE);
	with_and_without_tls(rest, true);
	scene_close(&w);
}

static void
leave(struct pair *p)
{
	send_part(p, 0, LARGE);
	UNTIL(p, p->in.n > 100000);
	close(p->fd);
	p->fd = -1;
	UNTIL(p, p->server.closed == 1);
	CHECK(p->server.broken);
	CHECK_INT(p->server.why.code, ERR_CLOSED);
	CHECK_INT(scene.sent, 0);
}

TEST(a_peer_that_leaves_is_noticed)
{
	struct disk_world w;

	scene_open(&w, 2, LARGE);
	with_and_without_tls(leave, true);
	scene_close(&w);
}

static void
half_close(struct pair *p)
{
	send_part(p, 0, LARGE);
	shutdown(p->fd, SHUT_WR);
	UNTIL(p, scene.sent == 1 && p->in.n == LARGE);
	CHECK(memcmp(p->in.p, scene.bytes, LARGE) == 0);
	UNTIL(p, p->server.closed == 1);
	CHECK_INT(p->server.why.code, ERR_CLOSED);
}

TEST(a_peer_that_says_no_more_still_gets_it)
{
	struct disk_world w;

	scene_open(&w, 2, LARGE);
	with_and_without_tls(half_close, true);
	scene_close(&w);
}

/* --- a file that is not what it was ------------------------------------------------- */

static void
shrink(struct pair *p)
{
	char path[100];

	disk_world_put(scene.world, "file", scene.bytes, file_size);
	send_part(p, 0, file_size);
	snprintf(path, sizeof(path), "%s/file", scene.world->path);
	UNTIL(p, p->in.n > 100000);
	CHECK(truncate(path, 1500000) == 0);
	UNTIL(p, p->server.closed == 1 && p->client_broken);
	CHECK(p->server.broken);
	CHECK_INT(p->server.why.code, ERR_MISSING);
	CHECK_INT(scene.sent, 0);
	CHECK(!p->client_eof);
	CHECK(p->in.n <= 1500000);
	CHECK(memcmp(p->in.p, scene.bytes, p->in.n) == 0);
}

TEST(a_file_that_becomes_shorter_resets_the_connection)
{
	struct disk_world w;

	scene_open(&w, 1, LARGE);
	with_and_without_tls(shrink, true);
	scene_close(&w);
}

static void
unlinked(struct pair *p)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/file", scene.world->path);
	(void)unlink(path);
	send_part(p, 0, LARGE);
	UNTIL(p, scene.sent == 1 && p->in.n == LARGE);
	CHECK(memcmp(p->in.p, scene.bytes, LARGE) == 0);
}

TEST(a_file_that_was_removed_is_sent_to_its_end)
{
	struct disk_world w;

	scene_open(&w, 1, LARGE);
	with_and_without_tls(unlinked, false);
	scene_close(&w);
}

/* --- the end at any point ----------------------------------------------------------- */

static int cut_after;
static bool cut_by_close;

static void
cut(struct pair *p)
{
	send_part(p, 0, LARGE);
	for (int i = 0; i < cut_after; i++)
		turn(p);
	if (cut_by_close)
		conn_close(p->server.c, 1000000);
	else
		conn_abort(p->server.c);
	CHECK_INT(p->server.closed, 0);
	UNTIL(p, p->server.closed == 1 && is_quiet());
	CHECK(!p->server.broken);
	CHECK_INT(scene.sent, 0);
	UNTIL(p, p->client_broken || p->client_eof);
	CHECK(p->in.n == 0 || memcmp(p->in.p, scene.bytes, p->in.n) == 0);
	CHECK(p->in.n < LARGE);
}

static void
cut_at_all_points(unsigned n_threads)
{
	struct disk_world w;

	scene_open(&w, n_threads, LARGE);
	for (cut_after = 0; cut_after < 16; cut_after++) {
		for (int i = 0; i < 2; i++) {
			cut_by_close = i == 1;
			with_and_without_tls(cut, true);
		}
	}
	scene_close(&w);
}

TEST(it_can_be_ended_at_any_point)
{
	cut_at_all_points(2);
}

TEST(without_threads_it_can_be_ended_at_any_point)
{
	cut_at_all_points(0);
}

struct slow {
	sem_t go_on;
	int done;
};

static void
slow_work(void *arg)
{
	struct slow *s = arg;

	while (sem_wait(&s->go_on) != 0)
		;
}

static void
slow_done(void *arg)
{
	((struct slow *)arg)->done++;
}

TEST(a_socket_that_is_lent_stays_open_until_it_is_given_back)
{
	struct disk_world w;
	struct pair p;
	struct slow slow = { .done = 0 };

	scene_open(&w, 1, LARGE);
	pair_init(&p);
	sem_init(&slow.go_on, 0, 0);
	disk_run(w.disk, slow_work, &w.box, slow_done, &slow);
	send_part(&p, 0, LARGE);
	/* that one, and this */
	UNTIL(&p, p.server.c->lent && disk_waiting(w.disk) == 2);
	conn_abort(p.server.c);
	for (int i = 0; i < 10; i++)
		turn(&p);
	CHECK_INT(p.server.closed, 0);
	CHECK(!p.client_eof && !p.client_broken);
	sem_post(&slow.go_on);
	UNTIL(&p, p.server.closed == 1);
	CHECK(p.client_eof || p.client_broken || p.in.n > 0);
	pair_done(&p);
	sem_destroy(&slow.go_on);
	scene_close(&w);
}

static void
close_file(struct pair *p)
{
	struct disk_heard heard;

	send_part(p, 0, LARGE);
	for (int i = 0; i < 5; i++)
		turn(p);
	conn_abort(p->server.c);
	UNTIL(p, p->server.closed == 1);
	disk_file_close(scene.file);
	UNTIL(p, is_quiet());
	CHECK_INT(disk_stats(scene.world->disk).files, 0);
	scene.file = disk_world_open(scene.world, "file", &heard);
	CHECK(scene.file != NULL);
}

TEST(the_file_can_be_closed_when_the_connection_is)
{
	struct disk_world w;

	scene_open(&w, 2, LARGE);
	with_and_without_tls(close_file, true);
	scene_close(&w);
}

/* --- turns ---------------------------------------------------------------------------- */

/* What others send waits for it; in the clear, a thread does it. */
static void
fair(struct pair *p)
{
	struct conn *c = p->server.c;

	send_part(p, 0, LARGE);
	while (scene.sent == 0) {
		uint64_t before = c->given + conn_queued(c);

		turn(p);
		if (conn_is_secure(c))
			CHECK(c->given + conn_queued(c) - before <= 65536);
	}
	UNTIL(p, p->in.n == LARGE);
}

TEST(no_turn_of_a_shard_encrypts_more_than_a_portion)
{
	struct disk_world w;

	scene_open(&w, 1, LARGE);
	with_and_without_tls(fair, false);
	scene_close(&w);
}

TEST_MAIN
