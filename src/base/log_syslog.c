/*
 * log_syslog.c - syslog(3) for log.c alone.
 *
 * Any thread; opened and closed at start-up and at the end.
 */
#include "config.h"

#include "base/log_syslog.h"

#include <syslog.h>

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
