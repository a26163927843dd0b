/*
 * notify.h - tells the service manager how we are (sd_notify(3)'s protocol).
 */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

/* Sends lines such as "READY=1"; does nothing where nobody listens, that is,
 * where NOTIFY_SOCKET is not set. */
void notify_send(const char *state);

#endif
