/*
 * test_disk_faults.c - what the system answers to disk threads, at random: that it was
 * interrupted, did a part, has no room, or that the disk is broken.  Drafts are written,
 * finished and discarded meanwhile, files sent, and connections ended.
 *
 * Linked in front of the C library's by --wrap.
 */
#include "config.h"

#include "disk/disk_send.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "base/mem.h"
#include "base/memuse.h"
#include "disk/disk_int.h"
#include "disk_world.h"
#include "net_peer.h"
#include "test.h"

#define SEEDS 24
#define STEPS 400

/* --- the system ------------------------------------------------------------------- */

static atomic_uint draws;
static atomic_bool faulty;
static unsigned seed;
static pthread_t shard;

static unsigned
hash(unsigned n)
{
	n = (n ^ 61) ^ (n >> 16);
	n *= 9;
	n ^= n >> 4;
	n *= 0x27d4eb2d;
	return n ^ (n >> 15);
}

/* 0 .. n - 1 */
static unsigned
draw(unsigned n)
{
	return hash(seed * 7919 + atomic_fetch_add(&draws, 1)) % n;
}

/* One call of a disk thread in so many fails, with one of these. */
static bool
fails(unsigned one_in, const int *numbers, size_t n)
{
	if (!atomic_load(&faulty) || pthread_equal(pthread_self(), shard) ||
		draw(one_in) != 0)
		return false;
	errno = numbers[draw((unsigned)n)];
	return true;
}

#define FAILS(one_in, ...)                                                     \
	fails(one_in, (const int[]){ __VA_ARGS__ },                            \
		COUNT(((const int[]){ __VA_ARGS__ })))

/* Less of n. */
static size_t
part(size_t n)
{
	bool whole = !atomic_load(&faulty) ||
		pthread_equal(pthread_self(), shard) || draw(3) != 0;

	return whole || n < 2 ? n : 1 + draw((unsigned)n - 1);
}

ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n);
ssize_t
__wrap_write(int fd, const void *p, size_t n)
{
	if (n == sizeof(uint64_t)) /* to wake a shard */
		return __real_write(fd, p, n);
	if (FAILS(12, EINTR, EINTR, EINTR, ENOSPC, EIO, EDQUOT))
		return -1;
	return __real_write(fd, p, part(n));
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int
__wrap_fsync(int fd)
{
	return FAILS(12, EIO, ENOSPC) ? -1 : __real_fsync(fd);
}

/* How much of a file has been given to the disk, and what the disk says next; 0: as
 * ever. */
static atomic_llong given, given_at_once;
static atomic_int disk_says;

int __real_sync_file_range(int fd, off_t at, off_t n, unsigned how);
int __wrap_sync_file_range(int fd, off_t at, off_t n, unsigned how);
int
__wrap_sync_file_range(int fd, off_t at, off_t n, unsigned how)
{
	CHECK_INT(how, SYNC_FILE_RANGE_WRITE_AND_WAIT);
	CHECK(n > 0);
	atomic_store(&given, at + n);
	if (n > atomic_load(&given_at_once))
		atomic_store(&given_at_once, n);
	errno = atomic_load(&disk_says);
	if (errno != 0 || FAILS(12, EIO, ENOSPC, ENOSYS, EINVAL))
		return -1;
	return __real_sync_file_range(fd, at, n, how);
}

int __real_linkat(int a, const char *x, int b, const char *y, int flags);
int __wrap_linkat(int a, const char *x, int b, const char *y, int flags);
int
__wrap_linkat(int a, const char *x, int b, const char *y, int flags)
{
	return FAILS(12, EMLINK, ENOSPC, EIO) ?
		-1 :
		__real_linkat(a, x, b, y, flags);
}

int __real_renameat2(int a, const char *x, int b, const char *y, unsigned flags);
int __wrap_renameat2(int a, const char *x, int b, const char *y, unsigned flags);
int
__wrap_renameat2(int a, const char *x, int b, const char *y, unsigned flags)
{
	return FAILS(6, EINVAL, ENOSYS, EIO) ?
		-1 :
		__real_renameat2(a, x, b, y, flags);
}

int __real_openat(int at, const char *name, int flags, mode_t mode);
int __wrap_openat(int at, const char *name, int flags, ...);
int
__wrap_openat(int at, const char *name, int flags, ...)
{
	bool temp = (flags & O_TMPFILE) == O_TMPFILE;
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if ((flags & O_CREAT) != 0 || temp)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	/* half of the drafts have names */
	if ((temp && FAILS(2, EOPNOTSUPP)) || FAILS(30, EMFILE, ENFILE, EIO))
		return -1;
	return __real_openat(at, name, flags, mode);
}

ssize_t __real_pread(int fd, void *p, size_t n, off_t at);
ssize_t __wrap_pread(int fd, void *p, size_t n, off_t at);
ssize_t
__wrap_pread(int fd, void *p, size_t n, off_t at)
{
	return FAILS(20, EINTR, EINTR, EINTR, EIO) ?
		-1 :
		__real_pread(fd, p, part(n), at);
}

/* A shard's: what is not in memory is read by a thread. */
ssize_t __real_preadv2(int fd, const struct iovec *v, int n, off_t at, int flags);
ssize_t __wrap_preadv2(int fd, const struct iovec *v, int n, off_t at, int flags);
ssize_t
__wrap_preadv2(int fd, const struct iovec *v, int n, off_t at, int flags)
{
	struct iovec some = *v;

	CHECK_INT(n, 1);
	if (atomic_load(&faulty)) {
		errno = draw(2) == 0 ? EAGAIN : EOPNOTSUPP;
		if (draw(3) == 0)
			return -1;
		some.iov_len = 1 + draw((unsigned)v->iov_len);
	}
	return __real_preadv2(fd, &some, 1, at, flags);
}

ssize_t __real_sendfile(int to, int from, off_t *at, size_t n);
ssize_t __wrap_sendfile(int to, int from, off_t *at, size_t n);
ssize_t
__wrap_sendfile(int to, int from, off_t *at, size_t n)
{
	return FAILS(10, EINTR, EINTR, EAGAIN, EAGAIN, EINVAL, EIO) ?
		-1 :
		__real_sendfile(to, from, at, part(n));
}

static size_t
count_names(const char *path)
{
	DIR *list = opendir(path);
	size_t n = 0;

	CHECK(list != NULL);
	while (readdir(list) != NULL)
		n++;
	closedir(list);
	return n;
}

/* --- drafts ------------------------------------------------------------------------- */

#define DRAFTS 6
/* What is written before it goes to the disk, and less than that behind it. */
#define AT_ONCE ((size_t)512 * 1024)
#define WHOLE (4 * AT_ONCE + 12345)

struct writing {
	struct disk_draft *draft; /* NULL: none */
	bool resting, failed, ending;
	size_t n;
	char name[40];
};

struct desk {
	struct disk_world w;
	char *bytes;
	struct writing all[DRAFTS];
	unsigned n_named, finished, failed;
};

static struct desk desk;

static void
on_room(void *arg)
{
	struct writing *x = arg;

	CHECK(x->resting && !x->failed && !x->ending);
	x->resting = false;
}

static void
on_failed(void *arg, const struct err *why)
{
	struct writing *x = arg;

	CHECK(!x->failed && why->text[0] != '\0');
	x->failed = true;
	desk.failed++;
}

static void
check_written(const struct writing *x)
{
	char path[160], *got = xmalloc(x->n + 1);
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", desk.w.path, x->name);
	f = fopen(path, "r");
	CHECK(f != NULL);
	CHECK_INT(fread(got, 1, x->n + 1, f), x->n);
	CHECK(memcmp(got, desk.bytes, x->n) == 0);
	fclose(f);
	CHECK_INT(unlink(path), 0);
	free(got);
}

static void
on_finished(void *arg)
{
	struct writing *x = arg;

	CHECK(x->ending && !x->failed);
	check_written(x);
	x->draft = NULL;
	desk.finished++;
}

static const struct disk_draft_events desk_events = { on_room, on_failed,
	on_finished };

static void
writing_begin(struct writing *x)
{
	struct err err = ERR_INIT;

	*x = (struct writing){ .n = 0 };
	snprintf(x->name, sizeof(x->name), "a%u/%u", draw(3), desk.n_named++);
	x->draft = disk_draft_new(desk.w.dir, &desk.w.box, &desk_events, x, &err);
	CHECK(x->draft != NULL || err.code == ERR_BUSY);
}

static void
writing_say(struct writing *x)
{
	size_t n = 1 + draw(DISK_WRITE_MAX), room = 0;
	bool more;
	char *p;

	if (x->resting || x->ending || x->n + n > BIG)
		return;
	p = draw(2) == 0 ? disk_draft_place(x->draft, &room) : NULL;
	if (p != NULL) {
		n = MIN(n, room);
		memcpy(p, desk.bytes + x->n, n);
		more = disk_draft_put(x->draft, n);
	} else {
		more = disk_draft_write(x->draft, desk.bytes + x->n, n);
	}
	x->n += n;
	x->resting = !more;
}

/* Who discards what is being finished removes what he finds (disk.h). */
static void
writing_drop(struct writing *x)
{
	char path[160];

	disk_draft_discard(x->draft);
	x->draft = NULL;
	if (!x->ending || x->failed)
		return;
	DISK_UNTIL(&desk.w, disk_waiting(desk.w.disk) == 0);
	snprintf(path, sizeof(path), "%s/%s", desk.w.path, x->name);
	(void)unlink(path);
}

static void
writing_step(struct writing *x)
{
	unsigned what = draw(40);

	if (x->draft == NULL) {
		writing_begin(x);
	} else if (what == 0 || (x->failed && what < 10)) {
		writing_drop(x);
	} else if (what < 4 && !x->failed && !x->resting && !x->ending) {
		x->ending = true;
		disk_draft_finish(x->draft, str_c(x->name), draw(2) == 0);
	} else {
		writing_say(x);
	}
	if (draw(4) == 0)
		mailbox_drain(&desk.w.box, NULL, 1 + draw(8));
	/* a machine that is busy may not have begun any of it */
	if (draw(64) == 0)
		DISK_UNTIL(&desk.w, disk_waiting(desk.w.disk) == 0);
}

TEST(a_draft_is_whole_or_nothing_whatever_the_system_answers)
{
	unsigned finished = 0, failed = 0;

	shard = pthread_self();
	for (seed = 1; seed <= SEEDS; seed++) {
		size_t fds = count_names("/proc/self/fd");
		char path[128];

		snprintf(test_file.label, sizeof(test_file.label), "seed %u",
			seed);
		memset(&desk, 0, sizeof(desk));
		disk_world_init_with(&desk.w, 1 + seed % 3,
			&(struct disk_bounds){ 4 + seed % 4, 1 << 20 });
		desk.bytes = disk_bytes(BIG);
		atomic_store(&faulty, true);
		for (unsigned i = 0; i < STEPS; i++)
			writing_step(&desk.all[draw(DRAFTS)]);
		for (unsigned i = 0; i < DRAFTS; i++)
			if (desk.all[i].draft != NULL)
				writing_drop(&desk.all[i]);
		DISK_UNTIL(&desk.w, disk_stats(desk.w.disk).files == 0);
		atomic_store(&faulty, false);
		for (unsigned i = 0; i < 3; i++) {
			snprintf(path, sizeof(path), "%s/a%u", desk.w.path, i);
			CHECK(access(path, F_OK) != 0 || count_names(path) == 2);
		}
		snprintf(path, sizeof(path), "%s/.tmp", desk.w.path);
		CHECK(access(path, F_OK) != 0 || count_names(path) == 2);
		finished += desk.finished;
		failed += desk.failed;
		disk_world_done(&desk.w);
		free(desk.bytes);
		CHECK_INT(memuse_sum(MEMUSE_FILE).bytes, 0);
		CHECK_INT(count_names("/proc/self/fd"), fds);
	}
	CHECK(finished > SEEDS && failed > SEEDS);
}

/* A file of WHOLE, written until it is finished or fails. */
static void
write_big(struct writing *x)
{
	while (x->n < WHOLE && !x->failed) {
		size_t n = MIN(WHOLE - x->n, DISK_WRITE_MAX);

		if (x->resting) {
			disk_world_turn(&desk.w);
			continue;
		}
		x->resting = !disk_draft_write(x->draft, desk.bytes + x->n, n);
		x->n += n;
	}
	if (!x->failed) {
		x->ending = true;
		disk_draft_finish(x->draft, str_c(x->name), true);
	}
	DISK_UNTIL(&desk.w, x->failed || x->draft == NULL);
	disk_draft_discard(x->draft);
}

/* Who writes has as little on its way to the disk as can be: others who sync wait for
 * it.  And what the disk says to that is said once: a sync would know nothing of it. */
TEST(what_is_written_goes_to_the_disk_at_once_and_what_fails_there_is_told)
{
	static const struct {
		const char *name;
		int says;
		bool fails;
	} cases[] = {
		{ "all is well", 0, false },
		{ "there is no such call", ENOSYS, false },
		{ "not for such a file", EINVAL, false },
		{ "the disk is broken", EIO, true },
		{ "the disk is full after all", ENOSPC, true },
	};

	for (unsigned i = 0; i < COUNT(cases); i++) {
		struct writing *x = &desk.all[0];

		TEST_CASE(cases[i].name);
		memset(&desk, 0, sizeof(desk));
		disk_world_init_with(&desk.w, 1,
			&(struct disk_bounds){ 4, 16 << 20 });
		desk.bytes = disk_bytes(WHOLE);
		atomic_store(&given, 0);
		atomic_store(&given_at_once, 0);
		atomic_store(&disk_says, cases[i].says);
		writing_begin(x);
		write_big(x);
		CHECK_INT(x->failed, cases[i].fails);
		CHECK_INT(desk.finished, !cases[i].fails);
		CHECK(cases[i].fails ||
			WHOLE - (size_t)atomic_load(&given) < AT_ONCE);
		CHECK((size_t)atomic_load(&given_at_once) <= 2 * AT_ONCE);
		disk_world_done(&desk.w);
		free(desk.bytes);
	}
	atomic_store(&disk_says, 0);
}

/* --- files that are sent --------------------------------------------------------------- */

#define LARGE ((size_t)3 << 20)

struct sending {
	struct disk_world w;
	struct disk_file *file;
	char *bytes;
	unsigned sent;
};

static struct sending sending;

static void
on_sent(void *arg)
{
	struct pair *p = arg;

	CHECK_INT(p->server.closed, 0);
	sending.sent++;
}

static void
send_turn(struct pair *p)
{
	mailbox_drain(&sending.w.box, NULL, 1 + draw(3));
	event_base_loop(p->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	net_flush(p->net);
	if (draw(3) != 0)
		pair_turn(p);
}

/* Until all is sent, the file broke, or it is ended. */
static void
send_once(struct pair *p)
{
	size_t from = draw(LARGE / 2), n = 1 + draw(LARGE / 2);
	unsigned end = draw(3) == 0 ? 1 + draw(200) : 0;

	sending.sent = 0;
	disk_send(p->server.c, sending.file, from, n, on_sent, p);
	for (unsigned i = 1; sending.sent == 0 && p->server.closed == 0; i++) {
		if (i == end)
			conn_abort(p->server.c);
		send_turn(p);
		CHECK(i < 2000000);
	}
	if (sending.sent != 0)
		PAIR_UNTIL(p, p->in.n >= n);
	CHECK_INT(sending.sent + (unsigned)p->server.closed, 1);
	CHECK(p->in.n <= n && memcmp(p->in.p != NULL ? p->in.p : "",
				      sending.bytes + from, p->in.n) == 0);
}

/* One after the other, by one connection, until it is broken. */
static unsigned whole, broken;

static void
send_often(struct pair *p)
{
	for (int i = 0; i < 4 && p->server.closed == 0; i++) {
		p->in.n = 0;
		send_once(p);
		whole += sending.sent;
	}
	broken += (unsigned)p->server.closed;
	DISK_UNTIL(&sending.w, disk_waiting(sending.w.disk) == 0 &&
			mailbox_depth(&sending.w.box).mails == 0);
}

TEST(a_peer_gets_a_beginning_of_it_whatever_the_system_answers)
{
	struct disk_heard heard;

	shard = pthread_self();
	whole = broken = 0;
	for (seed = 1; seed <= SEEDS; seed++) {
		size_t fds = count_names("/proc/self/fd");

		memset(&sending, 0, sizeof(sending));
		disk_world_init(&sending.w, 1 + seed % 3);
		sending.bytes = disk_bytes(LARGE);
		disk_world_put(&sending.w, "file", sending.bytes, LARGE);
		sending.file = disk_world_open(&sending.w, "file", &heard);
		CHECK(sending.file != NULL);
		atomic_store(&faulty, true);
		with_and_without_tls(send_often, seed % 2 == 0);
		atomic_store(&faulty, false);
		disk_file_close(sending.file);
		disk_world_done(&sending.w);
		free(sending.bytes);
		CHECK_INT(memuse_sum(MEMUSE_FILE).bytes, 0);
		CHECK_INT(count_names("/proc/self/fd"), fds);
	}
	CHECK(whole > SEEDS && broken > SEEDS / 2);
}

TEST_MAIN
