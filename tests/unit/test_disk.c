/*
 * test_disk.c - files below a folder: what is found there, written there, and what is
 * not let in or out.
 */
#include "config.h"

#include "disk/disk.h"

#include <errno.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include "base/mem.h"
#include "disk/disk_int.h"
#include "disk_world.h"
#include "test.h"

#define PIECE ((size_t)32 * 1024)

/* --- drafts ------------------------------------------------------------------- */

struct writer {
	struct disk_world *world;
	struct disk_draft *draft;
	int rooms, failed, finished;
	struct err why;
};

static void
on_room(void *arg)
{
	((struct writer *)arg)->rooms++;
}

static void
on_failed(void *arg, const struct err *why)
{
	struct writer *wr = arg;

	wr->failed++;
	wr->why = *why;
}

static void
on_finished(void *arg)
{
	struct writer *wr = arg;

	wr->finished++;
	wr->draft = NULL;
}

static const struct disk_draft_events writer_events = { on_room, on_failed,
	on_finished };

static void
writer_begin(struct writer *wr, struct disk_world *w)
{
	struct err err = ERR_INIT;

	*wr = (struct writer){ .world = w };
	wr->draft = disk_draft_new(w->dir, &w->box, &writer_events, wr, &err);
	CHECK(wr->draft != NULL);
}

/* Some by copy, some in place; waits for room. */
static void
writer_say(struct writer *wr, const char *p, size_t n, size_t step)
{
	for (bool copies = true; n > 0 && wr->failed == 0; copies = !copies) {
		size_t part = MIN(n, step), room = 0;
		int rooms = wr->rooms;
		char *place;
		bool more;

		if (copies) {
			more = disk_draft_write(wr->draft, p, part);
		} else {
			place = disk_draft_place(wr->draft, &room);
			if (place == NULL)
				break;
			CHECK(room > 0);
			part = MIN(part, room);
			memcpy(place, p, part);
			more = disk_draft_put(wr->draft, part);
		}
		p += part;
		n -= part;
		if (!more) {
			CHECK_INT(wr->rooms, rooms);
			DISK_UNTIL(wr->world,
				wr->rooms > rooms || wr->failed != 0);
		}
	}
}

static void
check_file(struct disk_world *w, const char *name, const char *p, size_t n)
{
	char path[400], *got = xmalloc(n + 1);
	struct stat st;
	size_t at = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", w->path, name);
	fd = open(path, O_RDONLY);
	CHECK(fd != -1);
	CHECK(fstat(fd, &st) == 0);
	CHECK_INT(st.st_mode & 07777, 0600);
	CHECK_INT(st.st_nlink, 1);
	CHECK_INT(st.st_size, n);
	for (ssize_t done = 1; done > 0; at += (size_t)done) {
		done = read(fd, got + at, n + 1 - at);
		CHECK(done >= 0);
	}
	close(fd);
	CHECK_INT(at, n);
	CHECK(memcmp(got, p, n) == 0);
	free(got);
}

/* How many there are in the folder itself and in the one of temporary files; folders
 * are not counted. */
static size_t
count_files(struct disk_world *w)
{
	char command[200];
	unsigned long n = 0;
	FILE *f;

	snprintf(command, sizeof(command), "find %s -type f | wc -l", w->path);
	f = popen(command, "r");
	CHECK(f != NULL);
	CHECK_INT(fscanf(f, "%lu", &n), 1);
	pclose(f);
	return n;
}

static void
each_size(unsigned threads, bool sync)
{
	static const size_t sizes[] = { 0, 1, PIECE - 1, PIECE, PIECE + 1,
		2 * PIECE, 3 * PIECE + 5, 1000000, 3u << 20 };
	static const size_t steps[] = { 1000, 16384, PIECE, 65536 };
	struct disk_world w;
	struct writer wr;
	char *bytes = disk_bytes(sizes[COUNT(sizes) - 1]), name[40];

	disk_world_init(&w, threads);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		for (size_t j = 0; j < COUNT(steps); j++) {
			snprintf(name, sizeof(name), "a%zu/b/%zu", i, j);
			TEST_CASE(name);
			writer_begin(&wr, &w);
			writer_say(&wr, bytes, sizes[i], steps[j]);
			CHECK_INT(disk_draft_size(wr.draft), sizes[i]);
			disk_draft_finish(wr.draft, str_c(name), sync);
			CHECK_INT(wr.finished, 0);
			DISK_UNTIL(&w, wr.finished == 1);
			check_file(&w, name, bytes, sizes[i]);
		}
	}
	CHECK_INT(count_files(&w), COUNT(sizes) * COUNT(steps));
	disk_world_done(&w);
	free(bytes);
}

TEST(what_was_written_stands_under_its_name)
{
	each_size(2, false);
}

TEST(what_was_written_and_synced_stands_under_its_name)
{
	each_size(2, true);
}

TEST(without_threads_it_is_the_same)
{
	each_size(0, false);
}

TEST(what_is_large_goes_to_the_disk_while_it_comes)
{
	size_t n = (20 << 20) + 1;
	char *bytes = disk_bytes(n);
	struct disk_world w;
	struct writer wr;

	disk_world_init(&w, 1);
	writer_begin(&wr, &w);
	writer_say(&wr, bytes, n, 65536);
	disk_draft_finish(wr.draft, STR("large"), true);
	DISK_UNTIL(&w, wr.finished == 1);
	check_file(&w, "large", bytes, n);
	disk_world_done(&w);
	free(bytes);
}

TEST(folders_that_are_made_are_for_us_alone)
{
	struct disk_world w;
	struct writer wr;
	char path[200];
	struct stat st;

	disk_world_init(&w, 1);
	writer_begin(&wr, &w);
	disk_draft_finish(wr.draft, STR("x/y/file"), true);
	DISK_UNTIL(&w, wr.finished == 1);
	snprintf(path, sizeof(path), "%s/x/y", w.path);
	CHECK(stat(path, &st) == 0);
	CHECK_INT(st.st_mode & 07777, 0700);
	disk_world_done(&w);
}

TEST(nothing_is_replaced)
{
	struct disk_world w;
	struct writer wr;

	disk_world_init(&w, 1);
	disk_world_put(&w, "file", "old", 3);
	writer_begin(&wr, &w);
	CHECK(disk_draft_write(wr.draft, "new", 3));
	disk_draft_finish(wr.draft, STR("file"), true);
	DISK_UNTIL(&w, wr.failed == 1);
	CHECK_INT(wr.why.code, ERR_CONFLICT);
	CHECK_INT(wr.finished, 0);
	disk_draft_discard(wr.draft);
	check_file(&w, "file", "old", 3);
	CHECK_INT(count_files(&w), 1);
	disk_world_done(&w);
}

/* At every point: before anything, with some, with much under way, while it ends. */
TEST(what_is_discarded_leaves_nothing)
{
	static const size_t sizes[] = { 0, 1, PIECE, 5 * PIECE, 1000000 };
	char *bytes = disk_bytes(1000000);
	struct disk_world w;
	struct writer wr;

	disk_world_init(&w, 2);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		test_case_number("size", (unsigned)sizes[i]);
		for (int waits = 0; waits < 3; waits++) {
			writer_begin(&wr, &w);
			writer_say(&wr, bytes, sizes[i], PIECE);
			for (int k = 0; k < waits; k++)
				mailbox_drain(&w.box, NULL, 1);
			disk_draft_discard(wr.draft);
		}
	}
	while (disk_waiting(w.disk) != 0 || mailbox_depth(&w.box).mails != 0)
		mailbox_drain(&w.box, NULL, 64);
	CHECK_INT(count_files(&w), 0);
	CHECK_INT(wr.finished, 0);
	disk_world_done(&w);
	free(bytes);
}

TEST(who_discards_what_is_being_finished_hears_nothing_more)
{
	struct disk_world w;
	struct writer wr;

	disk_world_init(&w, 1);
	writer_begin(&wr, &w);
	CHECK(disk_draft_write(wr.draft, "text", 4));
	disk_draft_finish(wr.draft, STR("file"), false);
	disk_draft_discard(wr.draft);
	while (disk_waiting(w.disk) != 0 || mailbox_depth(&w.box).mails != 0)
		mailbox_drain(&w.box, NULL, 64);
	CHECK_INT(wr.finished + wr.failed, 0);
	CHECK_INT(count_files(&w), 1);
	disk_world_done(&w);
}

TEST(who_writes_faster_than_the_disk_has_to_rest)
{
	char *bytes = disk_bytes(PIECE);
	struct disk_world w;
	struct writer wr;
	size_t n = 0, room;

	disk_world_init(&w, 1);
	writer_begin(&wr, &w);
	while (disk_draft_write(wr.draft, bytes, PIECE))
		n++;
	CHECK(n >= 1 && n < 100);
	CHECK(disk_draft_place(wr.draft, &room) == NULL);
	CHECK(disk_stats(w.disk).bytes >= 2 * PIECE);
	CHECK(disk_stats(w.disk).bytes <= 1 << 20);
	DISK_UNTIL(&w, wr.rooms == 1);
	CHECK(disk_draft_place(wr.draft, &room) != NULL);
	disk_draft_discard(wr.draft);
	disk_world_done(&w);
	free(bytes);
}

TEST(drafts_are_bounded_by_bytes_and_by_files)
{
	struct disk_world w;
	struct writer wr[3];
	struct err err = ERR_INIT;
	static const struct disk_bounds bounds[] = {
		{ 100, 2 * 2 * PIECE },
		{ 2, 1 << 20 },
	};

	for (size_t i = 0; i < COUNT(bounds); i++) {
		test_case_number("bound", (unsigned)i);
		disk_world_init_with(&w, 1, &bounds[i]);
		writer_begin(&wr[0], &w);
		writer_begin(&wr[1], &w);
		CHECK(disk_draft_new(w.dir, &w.box, &writer_events, &wr[2],
			      &err) == NULL);
		CHECK_INT(err.code, ERR_BUSY);
		disk_draft_discard(wr[0].draft);
		writer_begin(&wr[2], &w);
		disk_bound(w.disk, &(struct disk_bounds){ 3, 3 * 2 * PIECE });
		writer_begin(&wr[0], &w);
		disk_draft_discard(wr[0].draft);
		disk_draft_discard(wr[1].draft);
		disk_draft_discard(wr[2].draft);
		disk_world_done(&w);
	}
}

/* --- a disk that cannot ---------------------------------------------------------- */

static void
check_failure(struct disk_world *w, size_t n, enum err_code code)
{
	char *bytes = disk_bytes(n);
	struct writer wr;

	writer_begin(&wr, w);
	writer_say(&wr, bytes, n, PIECE);
	if (wr.failed == 0)
		disk_draft_finish(wr.draft, STR("sub/file"), true);
	DISK_UNTIL(w, wr.failed == 1);
	CHECK_INT(wr.why.code, code);
	/* what comes late is nobody's fault */
	if (disk_draft_size(wr.draft) < n)
		CHECK(disk_draft_write(wr.draft, bytes, PIECE));
	disk_draft_discard(wr.draft);
	free(bytes);
}

TEST(a_file_larger_than_the_system_permits_is_told_apart)
{
	struct rlimit before, small = { 1 << 20, 1 << 20 };
	struct disk_world w;

	CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0);
	small.rlim_max = before.rlim_max;
	disk_world_init(&w, 2);
	CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
	check_failure(&w, 3u << 20, ERR_LIMIT);
	CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
	CHECK_INT(count_files(&w), 0);
	disk_world_done(&w);
}

TEST(a_full_disk_is_told_apart_and_nothing_is_left_on_it)
{
	struct disk_heard heard = { .n = 0 };
	struct err err = ERR_INIT;
	struct statvfs vfs;
	struct disk_world w;

	disk_world_init(&w, 2);
	if (mount("none", w.path, "tmpfs", 0, "size=1m") != 0) {
		disk_world_done(&w);
		skip(); /* it takes root */
	}
	check_failure(&w, 3u << 20, ERR_DISK);
	CHECK(disk_folder_prepare(w.dir, &w.box, disk_on_done, &heard, &err));
	DISK_UNTIL(&w, heard.n == 1 && disk_waiting(w.disk) == 0);
	CHECK(statvfs(w.path, &vfs) == 0);
	CHECK_INT(vfs.f_bfree, vfs.f_blocks);
	CHECK(mount("none", w.path, "tmpfs", MS_REMOUNT | MS_RDONLY, "size=1m") ==
		0);
	check_failure(&w, 10, ERR_REFUSED);
	CHECK(disk_folder_prepare(w.dir, &w.box, disk_on_done, &heard, &err));
	DISK_UNTIL(&w, heard.n == 2);
	CHECK(!heard.ok);
	CHECK_INT(heard.why.code, ERR_REFUSED);
	CHECK(umount2(w.path, MNT_DETACH) == 0);
	disk_world_done(&w);
}

TEST(a_draft_leaves_free_what_has_to_stay)
{
	static const struct {
		struct disk_spare spare;
		bool fits;
	} cases[] = {
		{ { 0, 0 }, true },
		{ { 1, 0 }, true },
		{ { UINT64_MAX, 0 }, false },
		{ { 0, 100 }, false },
		{ { 1, 100 }, false },
	};
	char *bytes = disk_bytes(3 * PIECE);
	struct disk_world w;
	struct writer wr;
	size_t fits = 0;

	disk_world_init(&w, 2);
	for (size_t i = 0; i < COUNT(cases); i++) {
		writer_begin(&wr, &w);
		disk_draft_spare(wr.draft, &cases[i].spare);
		writer_say(&wr, bytes, 3 * PIECE, PIECE);
		if (wr.failed == 0)
			disk_draft_finish(wr.draft,
				fits == 0 ? STR("a") : STR("b"), false);
		DISK_UNTIL(&w, wr.finished + wr.failed == 1);
		CHECK_INT(wr.finished, cases[i].fits);
		if (wr.failed != 0)
			CHECK_INT(wr.why.code, ERR_DISK);
		disk_draft_discard(wr.draft);
		fits += cases[i].fits;
		DISK_UNTIL(&w, disk_waiting(w.disk) == 0);
		CHECK_INT(count_files(&w), fits);
	}
	free(bytes);
	disk_world_done(&w);
}

TEST(a_folder_that_is_none_fails_all_that_is_asked)
{
	struct disk_heard heard;
	struct err err = ERR_INIT;
	struct disk_folder *dir;
	struct disk_world w;
	char path[100];

	disk_world_init(&w, 1);
	disk_world_put(&w, "file", "text", 4);
	snprintf(path, sizeof(path), "%s/file", w.path);
	dir = w.dir;
	w.dir = disk_folder_new(w.disk, path);
	check_failure(&w, 10, ERR_MISSING);
	CHECK(disk_world_open(&w, "x", &heard) == NULL);
	CHECK_INT(heard.why.code, ERR_MISSING);
	CHECK(disk_folder_prepare(w.dir, &w.box, disk_on_done, &heard, &err));
	DISK_UNTIL(&w, heard.n == 2);
	CHECK(!heard.ok);
	disk_folder_unref(w.dir);
	w.dir = dir;
	disk_world_done(&w);
}

TEST(a_folder_is_made_where_there_is_none)
{
	struct disk_heard heard = { .n = 0 };
	struct err err = ERR_INIT;
	struct disk_folder *dir;
	struct disk_world w;
	char path[100];
	struct stat st;

	disk_world_init(&w, 1);
	snprintf(path, sizeof(path), "%s/new", w.path);
	dir = disk_folder_new(w.disk, path);
	CHECK_STR(str_c(disk_folder_path(dir)), path);
	CHECK(disk_folder_prepare(disk_folder_ref(dir), &w.box, disk_on_done,
		&heard, &err));
	disk_folder_unref(dir); /* the call has one of its own */
	DISK_UNTIL(&w, heard.n == 1);
	CHECK(heard.ok);
	CHECK(stat(path, &st) == 0);
	CHECK_INT(st.st_mode & 07777, 0700);
	disk_folder_unref(dir);
	disk_world_done(&w);
}

/* --- files without a name ------------------------------------------------------- */

TEST(where_every_file_has_a_name_drafts_have_one_that_a_start_removes)
{
	struct disk_world w;
	struct disk_temp kept, lost, mine;
	struct disk_heard heard = { .n = 0 };
	struct err err = ERR_INIT;

	disk_world_init(&w, 1);
	CHECK(disk_temp_make_named(w.dir, &kept, &err));
	CHECK(disk_temp_make_named(w.dir, &lost, &err));
	CHECK(disk_temp_make_named(w.dir, &mine, &err));
	CHECK(write(kept.fd, "text", 4) == 4);
	CHECK_INT(count_files(&w), 3);
	CHECK(disk_temp_keep(w.dir, &kept, "a/b", true, &err));
	check_file(&w, "a/b", "text", 4);
	CHECK_INT(count_files(&w), 3);
	CHECK(!disk_temp_keep(w.dir, &lost, "a/b", true, &err));
	CHECK_INT(err.code, ERR_CONFLICT);
	CHECK_INT(lost.fd, -1);
	CHECK_INT(count_files(&w), 2);
	/* of another process */
	disk_world_put(&w, ".tmp/other-0", "half", 4);
	CHECK(disk_folder_prepare(w.dir, &w.box, disk_on_done, &heard, &err));
	DISK_UNTIL(&w, heard.n == 1);
	CHECK(heard.ok);
	CHECK_INT(count_files(&w), 2);
	disk_temp_drop(w.dir, &mine);
	CHECK_INT(count_files(&w), 1);
	disk_world_done(&w);
}

/* --- names ------------------------------------------------------------------------ */

TEST(names_that_could_lead_elsewhere_are_none)
{
	static const struct {
		struct str name;
		bool ok;
	} rows[] = {
		{ STR("a"), true },
		{ STR("a/b/c/d"), true },
		{ STR("a/b/c/d/e"), false },
		{ STR(""), false },
		{ STR("/"), false },
		{ STR("/etc/passwd"), false },
		{ STR("a/"), false },
		{ STR("a//b"), false },
		{ STR("."), false },
		{ STR(".."), false },
		{ STR("../a"), false },
		{ STR("a/../b"), false },
		{ STR("a/.."), false },
		{ STR(".tmp/x"), false },
		{ STR("a\0b"), false },
	};
	struct disk_heard heard = { .n = 0 };
	struct disk_world w;
	char longest[DISK_NAME_MAX + 1];
	struct err err;

	for (size_t i = 0; i < COUNT(rows); i++) {
		test_case_number("row", (unsigned)i);
		CHECK_INT(disk_name_check(rows[i].name, &err), rows[i].ok);
	}
	memset(longest, 'a', sizeof(longest));
	CHECK(disk_name_check((struct str){ longest, DISK_NAME_MAX }, &err));
	CHECK(!disk_name_check((struct str){ longest, DISK_NAME_MAX + 1 }, &err));
	disk_world_init(&w, 1);
	CHECK(!disk_open(w.dir, STR("../x"), &w.box, disk_on_opened, &heard,
		&err));
	CHECK_INT(err.code, ERR_REFUSED);
	CHECK(!disk_remove(w.dir, STR("../x"), &w.box, disk_on_done, &heard,
		&err));
	disk_world_done(&w);
	CHECK_INT(heard.n, 0);
}

/* By openat2(2), and where that is missing. */
TEST(symbolic_links_lead_nowhere)
{
	static const char *const names[] = { "link", "folder/file", "sub/up/file",
		"sub/link" };
	int (*const opens[])(int, const char *, int) = { disk_path_open,
		disk_path_walk };
	struct disk_heard heard;
	struct disk_world w;
	char command[600];
	int at, fd;

	disk_world_init(&w, 1);
	disk_world_put(&w, "file", "text", 4);
	snprintf(command, sizeof(command),
		"cd %s && mkdir sub && ln -s file link && ln -s . folder && "
		"ln -s .. sub/up && ln -s /etc/passwd sub/link && "
		"cp file sub/file",
		w.path);
	CHECK_INT(system(command), 0);
	at = open(w.path, O_RDONLY | O_DIRECTORY);
	for (size_t j = 0; j < COUNT(opens); j++) {
		for (size_t i = 0; i < COUNT(names); i++) {
			TEST_CASE(names[i]);
			CHECK_INT(opens[j](at, names[i], O_RDONLY), -1);
			CHECK(errno == ELOOP || errno == ENOTDIR);
		}
		TEST_CASE("no link");
		fd = opens[j](at, "sub/file", O_RDONLY);
		CHECK(fd != -1);
		CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
		close(fd);
		CHECK_INT(opens[j](at, "sub/none", O_RDONLY), -1);
		CHECK_INT(errno, ENOENT);
	}
	close(at);
	CHECK(disk_world_open(&w, "sub/link", &heard) == NULL);
	CHECK_INT(heard.why.code, ERR_REFUSED);
	disk_world_done(&w);
}

TEST(a_link_in_the_way_of_a_new_file_stops_it)
{
	struct disk_world w;
	struct writer wr;
	char command[200];

	disk_world_init(&w, 1);
	snprintf(command, sizeof(command), "cd %s && mkdir real && ln -s real sub",
		w.path);
	CHECK_INT(system(command), 0);
	writer_begin(&wr, &w);
	disk_draft_finish(wr.draft, STR("sub/file"), false);
	DISK_UNTIL(&w, wr.failed == 1);
	CHECK(wr.why.code == ERR_REFUSED);
	disk_draft_discard(wr.draft);
	CHECK_INT(count_files(&w), 0);
	disk_world_done(&w);
}

TEST(what_is_not_a_file_is_not_opened)
{
	struct disk_heard heard;
	struct disk_world w;
	char path[100];

	disk_world_init(&w, 1);
	snprintf(path, sizeof(path), "%s/pipe", w.path);
	CHECK(mkfifo(path, 0600) == 0);
	snprintf(path, sizeof(path), "%s/folder", w.path);
	CHECK(mkdir(path, 0700) == 0);
	CHECK(disk_world_open(&w, "pipe", &heard) == NULL);
	CHECK_INT(heard.why.code, ERR_REFUSED);
	CHECK(disk_world_open(&w, "folder", &heard) == NULL);
	CHECK_INT(heard.why.code, ERR_REFUSED);
	CHECK(disk_world_open(&w, "none", &heard) == NULL);
	CHECK_INT(heard.why.code, ERR_MISSING);
	CHECK(disk_world_open(&w, "none/none", &heard) == NULL);
	CHECK_INT(heard.why.code, ERR_MISSING);
	disk_world_done(&w);
}

/* --- reading ---------------------------------------------------------------------- */

struct reader {
	int n;
	struct buf got;
};

static void
on_read(void *arg, const char *p, size_t n, const struct err *why)
{
	struct reader *r = arg;

	CHECK(why == NULL);
	r->n++;
	r->got.n = 0;
	buf_add(&r->got, p, n);
}

TEST(a_file_is_read_from_where_one_wants_to_its_end)
{
	struct reader r = { .n = 0 };
	struct disk_heard heard;
	struct err err = ERR_INIT;
	struct disk_world w;
	struct disk_file *f;

	disk_world_init(&w, 2);
	disk_world_put(&w, "file", "0123456789", 10);
	f = disk_world_open(&w, "file", &heard);
	CHECK(f != NULL);
	CHECK_INT(disk_file_size(f), 10);
	CHECK(disk_file_mtime_us(f) > 1500000000LL * 1000000);
	CHECK(disk_read(f, 2, 3, on_read, &r, &err));
	DISK_UNTIL(&w, r.n == 1);
	CHECK_STR(buf_str(&r.got), "234");
	CHECK(disk_read(f, 8, DISK_READ_MAX, on_read, &r, &err));
	DISK_UNTIL(&w, r.n == 2);
	CHECK_STR(buf_str(&r.got), "89");
	CHECK(disk_read(f, 10, 1, on_read, &r, &err));
	DISK_UNTIL(&w, r.n == 3);
	CHECK_INT(r.got.n, 0);
	/* who closes it does not hear of what he has asked */
	CHECK(disk_read(f, 0, 10, on_read, &r, &err));
	disk_file_close(f);
	disk_world_done(&w);
	CHECK_INT(r.n, 3);
	buf_done(&r.got);
}

TEST(files_that_are_open_have_a_bound)
{
	struct disk_heard heard, second = { .n = 0 };
	struct err err = ERR_INIT;
	struct disk_world w;
	struct disk_file *f;

	disk_world_init_with(&w, 1, &(struct disk_bounds){ 1, 1 << 20 });
	disk_world_put(&w, "file", "text", 4);
	f = disk_world_open(&w, "file", &heard);
	CHECK(f != NULL);
	CHECK(!disk_open(w.dir, STR("file"), &w.box, disk_on_opened, &second,
		&err));
	CHECK_INT(err.code, ERR_BUSY);
	disk_file_close(f);
	DISK_UNTIL(&w, disk_stats(w.disk).files == 0);
	/* nor does one count that could not be opened */
	CHECK(disk_world_open(&w, "none", &heard) == NULL);
	f = disk_world_open(&w, "file", &heard);
	CHECK(f != NULL);
	disk_file_close(f);
	disk_world_done(&w);
}

TEST(who_reads_does_not_keep_out_who_writes_nor_the_reverse)
{
	struct disk_heard heard;
	struct err err = ERR_INIT;
	struct disk_world w;
	struct disk_file *f[6];
	struct writer wr[6];

	disk_world_init_with(&w, 1, &(struct disk_bounds){ 8, 1 << 20 });
	disk_world_put(&w, "file", "text", 4);
	for (size_t i = 0; i < COUNT(f); i++)
		CHECK((f[i] = disk_world_open(&w, "file", &heard)) != NULL);
	CHECK(!disk_open(w.dir, STR("file"), &w.box, disk_on_opened, &heard,
		&err));
	CHECK_INT(err.code, ERR_BUSY);
	writer_begin(&wr[0], &w);
	writer_begin(&wr[1], &w);
	CHECK(disk_draft_new(w.dir, &w.box, &writer_events, &wr[2], &err) ==
		NULL);
	for (size_t i = 0; i < COUNT(f); i++)
		disk_file_close(f[i]);
	DISK_UNTIL(&w, disk_stats(w.disk).files == 2);
	for (size_t i = 2; i < COUNT(wr); i++)
		writer_begin(&wr[i], &w);
	CHECK(disk_draft_new(w.dir, &w.box, &writer_events, &wr[0], &err) ==
		NULL);
	for (size_t i = 0; i < 2; i++)
		CHECK((f[i] = disk_world_open(&w, "file", &heard)) != NULL);
	for (size_t i = 0; i < 2; i++)
		disk_file_close(f[i]);
	for (size_t i = 0; i < COUNT(wr); i++)
		disk_draft_discard(wr[i].draft);
	disk_world_done(&w);
}

/* --- the rest ---------------------------------------------------------------------- */

static void
on_space(void *arg, const struct disk_space *space, const struct err *why)
{
	struct disk_heard *h = arg;

	if (space != NULL)
		h->space = *space;
	disk_heard_note(h, why);
}

TEST(removing_and_asking_for_space)
{
	struct disk_heard heard = { .n = 0 };
	struct err err = ERR_INIT;
	struct disk_world w;

	disk_world_init(&w, 1);
	disk_world_put(&w, "file", "text", 4);
	CHECK(disk_remove(w.dir, STR("file"), &w.box, disk_on_done, &heard, &err));
	CHECK_INT(heard.n, 0);
	DISK_UNTIL(&w, heard.n == 1);
	CHECK(heard.ok);
	CHECK_INT(count_files(&w), 0);
	CHECK(disk_remove(w.dir, STR("file"), &w.box, disk_on_done, &heard, &err));
	DISK_UNTIL(&w, heard.n == 2);
	CHECK(!heard.ok);
	CHECK_INT(heard.why.code, ERR_MISSING);
	disk_world_put(&w, "other", "text", 4);
	CHECK(disk_remove(w.dir, STR("other"), &w.box, NULL, NULL, &err));
	DISK_UNTIL(&w, disk_waiting(w.disk) == 0);
	CHECK_INT(count_files(&w), 0);
	CHECK(disk_space(w.dir, &w.box, on_space, &heard, &err));
	DISK_UNTIL(&w, heard.n == 3);
	CHECK(heard.ok);
	CHECK(heard.space.free_bytes > 0);
	CHECK(heard.space.free_bytes <= heard.space.all_bytes);
	disk_world_done(&w);
}

struct walker {
	struct disk_world *world;
	bool seen[100];
	size_t n, slices;
	bool is_end;
};

static void
on_slice(void *arg, const struct disk_entry *entries, size_t n, bool is_end,
	const struct err *why)
{
	struct walker *k = arg;

	CHECK(why == NULL);
	k->slices++;
	k->is_end = is_end;
	for (size_t i = 0; i < n; i++) {
		char name[DISK_NAME_MAX + 1];
		unsigned folder, file;

		snprintf(name, sizeof(name), "%.*s", STR_ARG(entries[i].name));
		CHECK_INT(sscanf(name, "d%u/e/f%u", &folder, &file), 2);
		CHECK(file < COUNT(k->seen) && folder == file % 7);
		CHECK(!k->seen[file]);
		k->seen[file] = true;
		CHECK_INT(entries[i].size, file);
		CHECK(entries[i].mtime_us > 0);
		k->n++;
	}
}

TEST(all_files_are_found_a_slice_at_a_time)
{
	static const size_t slices[] = { 1, 7, DISK_SLICE_MAX };
	char *bytes = disk_bytes(100), command[300], name[40];
	struct err err = ERR_INIT;
	struct disk_world w;

	disk_world_init(&w, 2);
	snprintf(command, sizeof(command),
		"cd %s && mkdir -p d0/e d1/e d2/e d3/e d4/e d5/e d6/e empty "
		"deep/2/3/4/5 .tmp && echo x > .tmp/x && echo x > deep/2/3/4/5/x "
		"&& ln -s / root && ln -s d0 d8",
		w.path);
	CHECK_INT(system(command), 0);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "d%u/e/f%u", i % 7, i);
		disk_world_put(&w, name, bytes, i);
	}
	for (size_t i = 0; i < COUNT(slices); i++) {
		struct walker k = { .world = &w };
		struct disk_walk *walk = disk_walk_new(w.dir, &w.box);

		while (!k.is_end) {
			size_t before = k.slices;

			CHECK(disk_walk_next(walk, slices[i], on_slice, &k,
				&err));
			DISK_UNTIL(&w, k.slices > before);
		}
		CHECK_INT(k.n, 100);
		disk_walk_free(walk);
	}
	disk_world_done(&w);
	free(bytes);
}

TEST(a_walk_can_be_left_at_any_time)
{
	struct err err = ERR_INIT;
	struct disk_world w;
	struct walker k;
	struct disk_walk *walk;

	disk_world_init(&w, 1);
	k = (struct walker){ .world = &w };
	disk_world_put(&w, "d", "", 0);
	disk_walk_free(disk_walk_new(w.dir, &w.box));
	walk = disk_walk_new(w.dir, &w.box);
	CHECK(disk_walk_next(walk, 1, on_slice, &k, &err));
	disk_walk_free(walk);
	disk_walk_free(NULL);
	disk_world_done(&w);
	CHECK_INT(k.slices, 0);
}

/* --- the end ------------------------------------------------------------------------ */

TEST(what_is_open_when_the_disk_stops_can_be_let_go_of)
{
	struct disk_heard heard;
	struct disk_world w;
	struct disk_file *f;
	struct writer wr;

	disk_world_init(&w, 2);
	disk_world_put(&w, "file", "text", 4);
	f = disk_world_open(&w, "file", &heard);
	writer_begin(&wr, &w);
	CHECK(disk_draft_write(wr.draft, "half", 4));
	while (disk_waiting(w.disk) != 0)
		sched_yield();
	mailbox_drain(&w.box, NULL, 64);
	disk_stop(w.disk);
	disk_file_close(f);
	disk_draft_discard(wr.draft);
	CHECK_INT(count_files(&w), 1);
	disk_world_done(&w);
}

TEST_MAIN
