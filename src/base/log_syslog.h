/*
 * log_syslog.h - syslog(3) for log.c alone: the names in <syslog.h> are those
 * of our log areas, so that no file can include both.
 */
#ifndef BASE_LOG_SYSLOG_H
#define BASE_LOG_SYSLOG_H

#include <stdbool.h>
#include <stddef.h>

void log_syslog_open(void);
void log_syslog_close(void);

/* Any thread.  severity: 0 to 7 (RFC 5424 §6.2.1). */
void log_syslog_write(int severity, const char *line);

/* For handlers of signals, on a connection of its own: syslog(3) takes a lock.
 * False when nobody takes it. */
bool log_syslog_in_handler(int severity, const char *line, size_t n);

#endif
