/*
 * crash.c - the handler of crashes, and what it says.
 *
 *   assert() --> abort() --.
 *   SEGV, BUS, FPE, ILL ---+--> on_fatal: the first one writes --> the signal
 *
 * A handler gets no argument: what it needs lies in `crash', which is complete
 * before there are threads, and in `here', of each thread.
 */
#include "config.h"

#include "base/crash.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/build_id.h"
#include "base/crash_int.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/ring.h"
#include "base/str.h"

/* A report that takes longer hangs: then SIGALRM ends the process. */
#define REPORT_MAX_S 10
#define STACK_BYTES 65536
#define GUARD_BYTES 4096
/* An access so near below a stack was one beyond its end. */
#define OVERFLOW_BYTES 65536

static const struct {
	int number;
	const char *name;
} signals[] = {
	{ SIGSEGV, "SIGSEGV" },
	{ SIGBUS, "SIGBUS" },
	{ SIGFPE, "SIGFPE" },
	{ SIGILL, "SIGILL" },
	{ SIGABRT, "SIGABRT" },
};

static struct {
	atomic_int by;    /* the thread that writes the report; 0: none yet */
	int probe[2];     /* see crash_read() */
	int spare;        /* makes room where no file can be opened any more */
	int folder;       /* -1: there are no files */
	char prefix[256]; /* of their names in it */
	char path[512];   /* of prefix, for people */
} crash = { .probe = { -1, -1 }, .spare = -1, .folder = -1 };

static _Thread_local struct {
	char *handler_stack;   /* with its guard; NULL: it is not ours */
	const char *stack_low; /* where the thread's own ends; NULL: not known */
	/* The assertion that failed. */
	const char *expression, *file, *function;
	unsigned line;
} here;

/* --- what is said --------------------------------------------------------- */

static void
put_thread(struct crash_text *t)
{
	char name[16] = "";

	crash_put(t, "thread: ");
	if (prctl(PR_GET_NAME, name) == 0 && gettid() != getpid())
		crash_put_bytes(t, name, strnlen(name, sizeof(name)));
	else
		crash_put(t, "main");
	crash_end_line(t);
}

static void
put_identity(struct crash_text *t, int64_t now_s)
{
	char build[BUILD_ID_SIZE];

	build_id(build);
	crash_put(t, PACKAGE_STRING " has crashed");
	crash_end_line(t);
	crash_put(t, "build: ");
	crash_put(t, build);
	crash_end_line(t);
	crash_put(t, "time: ");
	crash_put_time(t, now_s, true);
	crash_end_line(t);
	crash_put(t, "process: ");
	crash_put_number(t, getpid());
	crash_end_line(t);
	put_thread(t);
}

/* As the C library says it. */
static void
put_assertion(struct crash_text *t)
{
	crash_put(t, here.file);
	crash_put(t, ":");
	crash_put_number(t, here.line);
	crash_put(t, ": ");
	crash_put(t, here.function);
	crash_put(t, ": Assertion `");
	crash_put(t, here.expression);
	crash_put(t, "' failed.");
}

static void
put_signal(struct crash_text *t, int sig, const siginfo_t *info)
{
	uintptr_t at = (uintptr_t)info->si_addr;

	for (size_t i = 0; i < COUNT(signals); i++) {
		if (signals[i].number == sig)
			crash_put(t, signals[i].name);
	}
	if (info->si_code <= 0) {
		crash_put(t, ", sent by process ");
		crash_put_number(t, info->si_pid);
		return;
	}
	crash_put(t, " at ");
	crash_put_hex(t, at);
	crash_put(t, ", code ");
	crash_put_number(t, info->si_code);
	if (sig == SIGSEGV && here.stack_low != NULL &&
		at - (uintptr_t)here.stack_low + OVERFLOW_BYTES <
			2 * OVERFLOW_BYTES)
		crash_put(t, ", the stack has overflowed");
}

static void
put_reason(struct crash_text *t, int sig, const siginfo_t *info)
{
	crash_put(t, "reason: ");
	if (sig == SIGABRT && here.expression != NULL)
		put_assertion(t);
	else
		put_signal(t, sig, info);
	crash_end_line(t);
}

static void
put_event(struct crash_text *t, const struct ring_event *ev)
{
	struct ring_kind kind;

	/* the ring may have been written over, too */
	if (crash_read(t, &kind, ev->kind, sizeof(kind)) &&
		crash_address_known((uintptr_t)kind.name) &&
		(kind.describe == NULL ||
			crash_address_known((uintptr_t)kind.describe))) {
		crash_put(t, kind.name);
		crash_put(t, " ");
		if (kind.describe != NULL)
			kind.describe(t, ev);
	} else {
		crash_put(t, "?");
	}
	crash_end_line(t);
}

/* The last one is what the thread was at. */
static void
put_events(struct crash_text *t)
{
	const struct ring *r = &ring_here;
	uint32_t n = MIN(r->n, RING_EVENTS);

	crash_put(t, "events, the last one first:");
	crash_end_line(t);
	for (uint32_t i = 1; i <= n; i++) {
		crash_put(t, "  ");
		put_event(t, &r->events[(r->n - i) % RING_EVENTS]);
	}
}

/* --- the file ------------------------------------------------------------- */

static void
file_open(struct crash_text *t, int64_t now_s)
{
	struct crash_text name = { .fd = -1 };

	if (crash.folder == -1)
		return;
	crash_put(&name, crash.prefix);
	crash_put_time(&name, now_s, false);
	crash_put(&name, "-");
	crash_put_number(&name, getpid());
	name.line[name.n] = '\0';
	close(crash.spare);
	/* new, so that no link is followed */
	t->fd = openat(crash.folder, name.line,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	t->why = t->fd == -1 ? errno : 0;
}

static void
file_close(struct crash_text *t, int64_t now_s)
{
	crash_put(t, "end");
	crash_end_line(t);
	if (t->fd == -1 && t->why == 0)
		return;
	if (t->fd != -1)
		close(t->fd);
	t->fd = -1;
	crash_put(t, t->why == 0 ? "written to " : "not written to ");
	crash_put(t, crash.path);
	crash_put_time(t, now_s, false);
	crash_put(t, "-");
	crash_put_number(t, getpid());
	if (t->why != 0) {
		crash_put(t, ": ");
		crash_put(t, strerrordesc_np(t->why));
	}
	crash_end_line(t);
}

/* --- the handler ---------------------------------------------------------- */

static void
crash_report(int sig, const siginfo_t *info, const void *context)
{
	struct crash_text t = {
		.fd = -1,
		.probe = { crash.probe[0], crash.probe[1] },
	};
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	file_open(&t, now.tv_sec);
	put_identity(&t, now.tv_sec);
	put_reason(&t, sig, info);
	put_events(&t);
	crash_trace(&t, context);
	file_close(&t, now.tv_sec);
}

/* Whatever those who have started us do with SIGALRM. */
static void
report_limit(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	signal(SIGALRM, SIG_DFL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	alarm(REPORT_MAX_S);
}

static void
on_fatal(int sig, siginfo_t *info, void *context)
{
	int first = 0, me = gettid();

	if (atomic_compare_exchange_strong(&crash.by, &first, me)) {
		report_limit();
		crash_report(sig, info, context);
	}
	while (first != 0 && first != me)
		pause();
	signal(sig, SIG_DFL);
	/* the fault happens again; what was sent has to be sent again */
	if (info->si_code <= 0)
		raise(sig);
}

/* Blocked meanwhile, so that a fault in the handler ends the process. */
static void
fatal_set(sigset_t *out)
{
	sigemptyset(out);
	for (size_t i = 0; i < COUNT(signals); i++)
		sigaddset(out, signals[i].number);
}

/* Of a sanitizer and others there are handlers already. */
static void
handler_set(int number)
{
	struct sigaction before, ours = {
		.sa_sigaction = on_fatal,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};

	fatal_set(&ours.sa_mask);
	if (sigaction(number, NULL, &before) == 0 &&
		(before.sa_flags & SA_SIGINFO) == 0 &&
		before.sa_handler == SIG_DFL)
		sigaction(number, &ours, NULL);
}

/* --- assert() ------------------------------------------------------------- */

/* Takes the place of the C library's, which says it to standard error alone. */
void
__assert_fail(const char *expression, const char *file, unsigned line,
	const char *function)
{
	here.expression = expression;
	here.file = file;
	here.line = line;
	here.function = function;
	if (crash.probe[0] == -1)
		fprintf(stderr, "%s:%u: %s: Assertion `%s' failed.\n", file,
			line, function, expression);
	abort();
}

/* --- threads -------------------------------------------------------------- */

static void
stack_find(void)
{
	pthread_attr_t attr;
	void *low;
	size_t bytes;

	if (pthread_getattr_np(pthread_self(), &attr) != 0)
		return;
	if (pthread_attr_getstack(&attr, &low, &bytes) == 0)
		here.stack_low = low;
	pthread_attr_destroy(&attr);
}

void
crash_thread_begin(void)
{
	stack_t before, ours = { .ss_size = STACK_BYTES };
	sigset_t fatal;
	char *mem;

	fatal_set(&fatal);
	pthread_sigmask(SIG_UNBLOCK, &fatal, NULL);
	stack_find();
	if (sigaltstack(NULL, &before) == -1 ||
		!(before.ss_flags & SS_DISABLE))
		return;
	mem = mmap(NULL, GUARD_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		return;
	mprotect(mem, GUARD_BYTES, PROT_NONE);
	ours.ss_sp = mem + GUARD_BYTES;
	sigaltstack(&ours, NULL);
	here.handler_stack = mem;
}

void
crash_thread_end(void)
{
	stack_t none = { .ss_flags = SS_DISABLE };

	if (here.handler_stack == NULL)
		return;
	sigaltstack(&none, NULL);
	munmap(here.handler_stack, GUARD_BYTES + STACK_BYTES);
	here.handler_stack = NULL;
}

/* --- start-up ------------------------------------------------------------- */

static bool
folder_open(const char *prefix, const char *base)
{
	char *path = base == prefix ? xstrdup(".") :
		str_dup((struct str){ prefix, (size_t)(base - prefix) });

	crash.folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(path);
	return crash.folder != -1;
}

bool
crash_keep(const char *prefix, struct err *err)
{
	const char *slash = strrchr(prefix, '/');
	const char *base = slash != NULL ? slash + 1 : prefix;

	if (strlen(prefix) >= sizeof(crash.path) ||
		strlen(base) >= sizeof(crash.prefix))
		return err_set(err, ERR_LIMIT, "%.100s...: it is too long",
			prefix);
	if (!folder_open(prefix, base))
		return err_errno(err, "the folder of %.120s*", prefix);
	memcpy(crash.path, prefix, strlen(prefix) + 1);
	memcpy(crash.prefix, base, strlen(base) + 1);
	crash.spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return true;
}

void
crash_init(void)
{
	if (pipe2(crash.probe, O_CLOEXEC | O_NONBLOCK) == -1)
		return;
	crash_trace_init();
	crash_thread_begin();
	for (size_t i = 0; i < COUNT(signals); i++)
		handler_set(signals[i].number);
}
