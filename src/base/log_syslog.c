/*
 * log_syslog.c - syslog(3) for log.c alone.
 *
 * Any thread; opened and closed at start-up and at the end.
 */
#include "config.h"

#include "base/log_syslog.h"

#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

void
log_syslog_open(void)
{
	openlog("antiphond", LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

void
log_syslog_close(void)
{
	closelog();
}

void
log_syslog_write(int severity, const char *line)
{
	syslog(severity, "%s", line);
}

bool
log_syslog_in_handler(int severity, const char *line, size_t n)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = _PATH_LOG };
	char head[] = "<30>antiphond: error server: crash: ";
	struct iovec parts[] = {
		{ head, sizeof(head) - 1 },
		{ (char *)(uintptr_t)line, n },
	};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok;

	head[2] = (char)('0' + (LOG_DAEMON | severity) % 10);
	head[1] = (char)('0' + (LOG_DAEMON | severity) / 10);
	ok = fd != -1 && connect(fd, (const void *)&to, sizeof(to)) == 0 &&
		writev(fd, parts, 2) != -1;
	if (fd != -1)
		close(fd);
	return ok;
}
