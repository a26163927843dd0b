/*
 * log.c - formats lines and hands them to the sink.
 *
 * Any thread, without a lock: a line is built on the stack and leaves by one
 * write(2).  Invariant: the sink's descriptor keeps its number from log_open()
 * to log_close(); log_reopen() puts another file behind it.
 */
#include "config.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <unistr.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log_syslog.h"
#include "base/mem.h"

/* PIPE_BUF: up to here a write to a pipe is not mixed with others. */
#define LINE_MAX_BYTES 4096
#define DAY_S 86400

static const char *const area_names[] = {
#define LOG_AREA(id, name, meaning) name,
#include "base/log.def"
#undef LOG_AREA
};

static const struct {
	const char *name;
	int severity; /* RFC 5424 §6.2.1 */
} levels[] = {
	[LEVEL_ERROR] = { "error", 3 },
	[LEVEL_WARN] = { "warn", 4 },
	[LEVEL_INFO] = { "info", 6 },
	[LEVEL_DEBUG] = { "debug", 7 },
};

atomic_int log_levels[LOG_AREAS] = { [0 ... LOG_AREAS - 1] = LEVEL_INFO };

/* Changes before threads start and after they have ended only. */
static struct {
	enum log_target target;
	int fd;
	char *path;   /* owned; NULL unless a file */
	bool journal; /* stderr is read by systemd */
} sink = { .target = LOG_TO_STDERR, .fd = STDERR_FILENO };

struct line {
	size_t n;
	char text[LINE_MAX_BYTES];
};

#define CUT_MARK "..."
/* Stands for a quote of the format, as opposed to one of a value, until a line is
 * built.  Values that have it themselves are written as if there were none. */
#define QUOTE '\x01'

/* --- building a line ------------------------------------------------------ */

/* Room is always left for the mark and the end of the line. */
static size_t
line_room(const struct line *l)
{
	return sizeof(l->text) - sizeof(CUT_MARK "\n") - l->n;
}

static bool
line_add(struct line *l, const char *p, size_t n)
{
	if (n > line_room(l))
		return false;
	memcpy(l->text + l->n, p, n);
	l->n += n;
	return true;
}

static bool
line_cut(struct line *l)
{
	memcpy(l->text + l->n, CUT_MARK, strlen(CUT_MARK));
	l->n += strlen(CUT_MARK);
	return false;
}

static void
line_add_c(struct line *l, const char *s)
{
	line_add(l, s, strlen(s));
}

/* The length of the character at p when it can be shown as it is, else 0: broken
 * UTF-8, C0 and C1 controls, the line and paragraph separators, and embeddings,
 * overrides and isolates, which would turn round what follows. */
static size_t
shown_bytes(const char *p, size_t n)
{
	ucs4_t c;
	int used = u8_mbtoucr(&c, (const uint8_t *)p, n);

	if (used <= 0 || c < 0x20 || (c >= 0x7f && c < 0xa0) ||
		(c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
		return 0;
	return (size_t)used;
}

/* The length of what begins at p, is shown as it is, and is plain ASCII: nearly
 * every line is nothing else. */
static size_t
plain_bytes(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] >= 0x20 && p[i] < 0x7f)
		i++;
	return i;
}

/* False when it was cut, and nothing may follow. */
static bool
line_add_escaped(struct line *l, const char *s, size_t left)
{
	while (left > 0) {
		size_t n = plain_bytes(s, left);
		char code[8];
		bool fits;

		if (n > line_room(l))
			n = line_room(l); /* the next one does not fit */
		if (n == 0)
			n = shown_bytes(s, left);
		if (n > 0) {
			fits = line_add(l, s, n);
		} else {
			n = 1;
			snprintf(code, sizeof(code), "\\x%02x",
				(unsigned)(unsigned char)*s);
			fits = line_add(l, code, strlen(code));
		}
		if (!fits)
			return line_cut(l);
		s += n;
		left -= n;
	}
	return true;
}

/* Between two QUOTEs, what would end the value is escaped. */
static void
line_add_text(struct line *l, const char *s)
{
	const char *ends[] = { "\x01", "\x01\"\\" };
	bool quoted = false, fits = true;

	while (fits && *s != '\0') {
		size_t n = strcspn(s, ends[quoted]);
		char escaped[] = { '\\', s[n], '\0' };

		fits = line_add_escaped(l, s, n);
		s += n;
		if (!fits || *s == '\0')
			continue;
		if (*s == QUOTE) {
			quoted = !quoted;
			fits = line_add(l, "\"", 1) || line_cut(l);
		} else {
			fits = line_add(l, escaped, 2) || line_cut(l);
		}
		s++;
	}
}

static size_t
count_quotes(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += *s == QUOTE;
	return n;
}

/* What is not literal here differs from a literal in its quotes alone. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

/* True with QUOTE for the quotes of the format, else as it is: that would be
 * unclear. */
static bool
text_make(char out[LINE_MAX_BYTES], const char *fmt, va_list ap)
{
	char marked[LINE_MAX_BYTES];
	size_t n = strlen(fmt);
	va_list again;
	int used;
	bool clear;

	va_copy(again, ap);
	n = MIN(n, sizeof(marked) - 1);
	for (size_t i = 0; i < n; i++)
		marked[i] = fmt[i] == '"' ? QUOTE : fmt[i];
	marked[n] = '\0';
	used = vsnprintf(out, LINE_MAX_BYTES, marked, ap);
	clear = count_quotes(out) == count_quotes(marked) ||
		(used >= LINE_MAX_BYTES &&
			count_quotes(out) < count_quotes(marked));
	if (!clear)
		vsnprintf(out, LINE_MAX_BYTES, fmt, again);
	va_end(again);
	return clear;
}

#pragma GCC diagnostic pop

/* value as n digits to at, and mark behind them; returns what follows. */
static char *
digits_put(char *at, int value, unsigned n, char mark)
{
	for (unsigned i = n; i > 0; i--) {
		at[i - 1] = (char)('0' + value % 10);
		value /= 10;
	}
	at[n] = mark;
	return at + n + 1;
}

/* RFC 3339 §5.6, with milliseconds.  By hand: snprintf() took longer than what
 * it says. */
static void
line_add_time(struct line *l)
{
	int64_t now_us = clock_wall_us(&clock_system);
	int64_t now_s = now_us / US_PER_S;
	struct clock_date date = clock_date_of_day(now_s / DAY_S);
	int in_day = (int)(now_s % DAY_S);
	char text[sizeof("2000-01-01T00:00:00.000Z ")], *at = text;

	at = digits_put(at, date.year, 4, '-');
	at = digits_put(at, date.month, 2, '-');
	at = digits_put(at, date.day, 2, 'T');
	at = digits_put(at, in_day / 3600, 2, ':');
	at = digits_put(at, in_day / 60 % 60, 2, ':');
	at = digits_put(at, in_day % 60, 2, '.');
	at = digits_put(at, (int)(now_us % US_PER_S / US_PER_MS), 3, 'Z');
	*at++ = ' ';
	line_add(l, text, (size_t)(at - text));
}

static void
line_add_priority(struct line *l, enum log_level level)
{
	char text[8];

	snprintf(text, sizeof(text), "<%d>", levels[level].severity);
	line_add_c(l, text);
}

static void
line_add_who(struct line *l, struct log_who who)
{
	char text[512] = "";

	if (who.describe == NULL)
		return;
	who.describe(who.obj, text, sizeof(text));
	text[sizeof(text) - 1] = '\0';
	if (text[0] == '\0')
		return;
	line_add_c(l, " ");
	line_add_escaped(l, text, strlen(text));
}

static void
line_send(struct line *l, enum log_level level)
{
	if (sink.target == LOG_TO_SYSLOG) {
		l->text[l->n] = '\0';
		log_syslog_write(levels[level].severity, l->text);
		return;
	}
	l->text[l->n++] = '\n';
	/* a full disk cannot be logged: the line is lost */
	while (write(sink.fd, l->text, l->n) == -1 && errno == EINTR)
		;
}

void
log_write(enum log_area area, enum log_level level, struct log_who who,
	const char *fmt, ...)
{
	struct line l = { .n = 0 };
	char text[LINE_MAX_BYTES];
	int saved = errno;
	bool marked;
	va_list ap;

	va_start(ap, fmt);
	marked = text_make(text, fmt, ap);
	va_end(ap);
	if (sink.target != LOG_TO_SYSLOG) {
		if (sink.journal)
			line_add_priority(&l, level);
		else
			line_add_time(&l);
	}
	line_add_c(&l, levels[level].name);
	line_add_c(&l, " ");
	line_add_c(&l, area_names[area]);
	line_add_who(&l, who);
	line_add_c(&l, ": ");
	if (marked)
		line_add_text(&l, text);
	else
		line_add_escaped(&l, text, strlen(text));
	line_send(&l, level);
	errno = saved;
}

void
log_in_handler(const char *text, size_t n)
{
	struct line l = { .n = 0 };

	if (sink.target == LOG_TO_SYSLOG &&
		log_syslog_in_handler(levels[LEVEL_ERROR].severity, text, n))
		return;
	if (sink.journal)
		line_add(&l, "<3>", 3);
	else
		line_add_time(&l);
	line_add_c(&l, "error server: crash: ");
	line_add(&l, text, MIN(n, line_room(&l)));
	l.text[l.n++] = '\n';
	if (write(sink.fd, l.text, l.n) == -1 && sink.fd != STDERR_FILENO &&
		write(STDERR_FILENO, l.text, l.n) == -1)
		return; /* nobody is left to tell */
}

/* --- what is written ------------------------------------------------------ */

bool
log_limit_ok(struct log_limit *limit, enum log_area area)
{
	uint_fast64_t minute = (uint_fast64_t)(clock_mono_us(&clock_system) /
				       (60 * US_PER_S)) &
		UINT32_MAX;
	uint_fast64_t old = atomic_load(&limit->minute_and_count);
	uint_fast64_t count, left_out;

	do {
		left_out = 0;
		count = old & UINT32_MAX;
		if (old >> 32 != minute) {
			left_out = count > LOG_BURST ? count - LOG_BURST : 0;
			count = 0;
		}
		count = MIN(count + 1, UINT32_MAX);
	} while (!atomic_compare_exchange_weak(
		&limit->minute_and_count, &old, minute << 32 | count));
	if (left_out != 0)
		log_warn(area, LOG_NOBODY, "similar lines left out count=%llu",
			(unsigned long long)left_out);
	return count <= LOG_BURST;
}

void
log_set_level(enum log_area area, enum log_level level)
{
	atomic_store_explicit(
		&log_levels[area], (int)level, memory_order_relaxed);
}

bool
log_area_parse(struct str name, enum log_area *out)
{
	for (size_t i = 0; i < COUNT(area_names); i++) {
		if (str_is(name, area_names[i])) {
			*out = (enum log_area)i;
			return true;
		}
	}
	return false;
}

bool
log_level_parse(struct str name, enum log_level *out)
{
	for (size_t i = 0; i < COUNT(levels); i++) {
		if (str_is(name, levels[i].name)) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}

const char *
log_area_name(enum log_area area)
{
	return area_names[area];
}

const char *
log_level_name(enum log_level level)
{
	return levels[level].name;
}

/* --- the sink ------------------------------------------------------------- */

/* systemd.exec(5): JOURNAL_STREAM names device and inode of the journal's end;
 * both are compared, because the variable outlives a redirection. */
static bool
stderr_is_journal(void)
{
	const char *env = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return env != NULL && sscanf(env, "%llu:%llu", &dev, &ino) == 2 &&
		fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev &&
		st.st_ino == ino;
}

static int
file_open(const char *path, struct err *err)
{
	int fd = open(path,
		O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);

	if (fd == -1)
		err_errno(err, "open log file %s", path);
	return fd;
}

bool
log_open(enum log_target target, const char *path, struct err *err)
{
	int fd = STDERR_FILENO;

	if (target == LOG_TO_FILE) {
		fd = file_open(path, err);
		if (fd == -1)
			return false;
	}
	log_close();
	if (target == LOG_TO_SYSLOG)
		log_syslog_open();
	sink.target = target;
	sink.fd = fd;
	sink.path = target == LOG_TO_FILE ? xstrdup(path) : NULL;
	sink.journal = target == LOG_TO_STDERR && stderr_is_journal();
	return true;
}

bool
log_give(uid_t uid, gid_t gid, struct err *err)
{
	if (sink.target == LOG_TO_FILE && fchown(sink.fd, uid, gid) == -1)
		return err_errno(err, "give log file %s away", sink.path);
	return true;
}

bool
log_reopen(struct err *err)
{
	bool ok;
	int fd;

	if (sink.target != LOG_TO_FILE)
		return true;
	fd = file_open(sink.path, err);
	if (fd == -1)
		return false;
	/* takes the place of the old file in one step, under the feet of
	 * threads that are writing */
	ok = dup3(fd, sink.fd, O_CLOEXEC) != -1;
	if (!ok)
		err_errno(err, "switch to log file %s", sink.path);
	close(fd);
	return ok;
}

void
log_close(void)
{
	if (sink.target == LOG_TO_SYSLOG)
		log_syslog_close();
	if (sink.target == LOG_TO_FILE)
		close(sink.fd);
	free(sink.path);
	sink.target = LOG_TO_STDERR;
	sink.fd = STDERR_FILENO;
	sink.path = NULL;
	sink.journal = false;
}
