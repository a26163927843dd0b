/*
 * cli_secret.c - what people are asked: passwords, from the terminal, unseen, or
 * from standard input; and whether they mean it.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "antiphonctl/cli.h"

#define SECRET_MAX 4096

/* One line without its end; false at the end of the input. */
static bool
line_read(int fd, struct buf *out)
{
	char c;
	ssize_t n;

	while ((n = read(fd, &c, 1)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return false;
		if (c == '\n')
			return true;
		if (out->n < SECRET_MAX)
			buf_add(out, &c, 1);
	}
	return out->n != 0;
}

/* Signals that would end us, and leave the terminal without echo, are taken as
 * a line that is not there. */
static bool
line_ask(int fd, struct buf *out)
{
	struct pollfd fds[2] = { { .fd = fd, .events = POLLIN },
		{ .fd = -1, .events = POLLIN } };
	sigset_t set;
	bool ok = false;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	/* for good: after such a signal there is nothing left to do */
	sigprocmask(SIG_BLOCK, &set, NULL);
	fds[1].fd = signalfd(-1, &set, SFD_CLOEXEC);
	while (poll(fds, 2, -1) == -1 && errno == EINTR)
		continue;
	if (fds[1].revents == 0)
		ok = line_read(fd, out);
	close(fds[1].fd);
	return ok;
}

static bool
prompt(int fd, const char *text, struct buf *out)
{
	struct termios before, hidden;
	bool ok;

	if (tcgetattr(fd, &before) == -1)
		return false;
	hidden = before;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	hidden.c_lflag |= ECHONL;
	/* in this order: what is typed after the prompt is never shown */
	tcsetattr(fd, TCSAFLUSH, &hidden);
	dprintf(fd, "%s: ", text);
	ok = line_ask(fd, out);
	tcsetattr(fd, TCSAFLUSH, &before);
	return ok;
}

static bool
secret_ask(int fd, const char *what, struct buf *out, struct err *err)
{
	struct buf again = BUF_INIT;
	char text[80];
	bool ok;

	snprintf(text, sizeof(text), "new %s", what);
	ok = prompt(fd, text, out);
	snprintf(text, sizeof(text), "once more");
	ok = ok && prompt(fd, text, &again);
	if (!ok)
		err_set(err, ERR_INVALID, "%s is missing", what);
	else if (!str_eq(buf_str(out), buf_str(&again)))
		ok = err_set(err, ERR_INVALID, "the two are not the same");
	if (again.p != NULL)
		explicit_bzero(again.p, again.n);
	buf_done(&again);
	return ok;
}

bool
cli_secret_read(const char *what, struct buf *out, struct err *err)
{
	bool ok;
	int fd;

	if (!isatty(STDIN_FILENO)) {
		if (!line_read(STDIN_FILENO, out))
			return err_set(err, ERR_INVALID,
				"%s is missing: one line on standard input",
				what);
		return true;
	}
	fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (fd == -1)
		return err_errno(err, "/dev/tty");
	ok = secret_ask(fd, what, out, err);
	close(fd);
	return ok;
}

bool
cli_confirm(const char *question, const char *option, struct err *err)
{
	struct buf answer = BUF_INIT;
	bool yes;

	if (!isatty(STDIN_FILENO))
		return err_set(err, ERR_INVALID,
			"this needs --%s where nobody can be asked", option);
	fprintf(stderr, "This will %s. Go on? [y/N] ", question);
	yes = line_read(STDIN_FILENO, &answer) && answer.n != 0 &&
		(answer.p[0] == 'y' || answer.p[0] == 'Y');
	buf_done(&answer);
	return yes || err_set(err, ERR_REFUSED, "nothing was done");
}
