/*
 * log_syslog.h - syslog(3) for log.c alone: the names in <syslog.h> are those
 * of our log areas, so that no file can include both.
 */
#ifndef BASE_LOG_SYSLOG_H
#define BASE_LOG_SYSLOG_H

void log_syslog_open(void);
void log_syslog_close(void);

/* Any thread.  severity: 0 to 7 (RFC 5424 §6.2.1). */
void log_syslog_write(int severity, const char *line);

#endif
