/*
 * crash_files.c - the reports of earlier crashes: the newest is told of, and the
 * oldest go, so that a server that crashes for ever fills no disk.
 *
 * Start-up: the main thread.
 */
#include "config.h"

#include "base/crash.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

struct names VEC(char *);

/* Do its time and the process follow, as crash.c writes them? */
static bool
is_report(const char *name, const char *prefix)
{
	static const char shape[] = "00000000T000000Z-0";
	size_t n = strlen(prefix);

	if (strncmp(name, prefix, n) != 0)
		return false;
	name += n;
	for (size_t i = 0; i < sizeof(shape) - 1; i++) {
		if (shape[i] == '0' ? name[i] < '0' || name[i] > '9' :
				      name[i] != shape[i])
			return false;
	}
	name += sizeof(shape) - 1;
	return name[strspn(name, "0123456789")] == '\0';
}

static int
names_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In the order of time. */
static void
names_read(DIR *folder, const char *prefix, struct names *out)
{
	const struct dirent *e;

	while ((e = readdir(folder)) != NULL) {
		if (is_report(e->d_name, prefix))
			*vec_push(out) = xstrdup(e->d_name);
	}
	if (out->n != 0)
		qsort(out->p, out->n, sizeof(out->p[0]), names_compare);
}

/* What stands behind name at the beginning of a line. */
static void
line_find(struct str text, const char *name, char *out, size_t n)
{
	struct str line;

	while (str_cut(text, '\n', &line, &text)) {
		if (!str_starts(line, str_c(name)))
			continue;
		line.p += strlen(name);
		line.n -= strlen(name);
		snprintf(out, n, "%.*s", STR_ARG(line));
		return;
	}
}

static bool
report_read(int folder, const char *name, struct crash_last *out)
{
	int fd = openat(folder, name,
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	char head[4096];
	ssize_t n;

	if (fd == -1)
		return false;
	n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ?
		read(fd, head, sizeof(head)) :
		-1;
	/* it can be written to until somebody has been told of it */
	out->is_new = n >= 0 && (st.st_mode & S_IWUSR) != 0 &&
		fchmod(fd, S_IRUSR) == 0;
	close(fd);
	if (n < 0)
		return false;
	snprintf(out->time, sizeof(out->time), "unknown");
	snprintf(out->reason, sizeof(out->reason), "unknown");
	line_find((struct str){ head, (size_t)n }, "time: ", out->time,
		sizeof(out->time));
	line_find((struct str){ head, (size_t)n }, "reason: ", out->reason,
		sizeof(out->reason));
	return true;
}

bool
crash_last(const char *prefix, struct crash_last *out)
{
	const char *slash = strrchr(prefix, '/');
	const char *base = slash != NULL ? slash + 1 : prefix;
	char *path = slash == NULL ? xstrdup(".") :
		str_dup((struct str){ prefix, (size_t)(base - prefix) });
	DIR *folder = opendir(path);
	struct names names = { 0 };
	bool found = false;

	free(path);
	if (folder == NULL)
		return false;
	names_read(folder, base, &names);
	if (names.n != 0)
		found = report_read(
			dirfd(folder), names.p[names.n - 1], out);
	if (found)
		snprintf(out->file, sizeof(out->file), "%.*s%s",
			(int)(base - prefix), prefix, names.p[names.n - 1]);
	for (size_t i = 0; i + CRASH_FILES - 1 < names.n; i++)
		unlinkat(dirfd(folder), names.p[i], 0);
	for (size_t i = 0; i < names.n; i++)
		free(names.p[i]);
	vec_done(&names);
	closedir(folder);
	return found;
}
