/*
 * ctl_socket.h - the file of the control socket: made, protected, removed.
 */
#ifndef CTL_CTL_SOCKET_H
#define CTL_CTL_SOCKET_H

#include <stdbool.h>

struct ctl;
struct err;

/* Start-up: fills in the fd, path and group of ctl from the configuration.
 * Refuses when another server answers there, and when the file is no socket. */
bool ctl_socket_open(struct ctl *ctl, struct err *err);
/* The file goes too, if it is still ours. */
void ctl_socket_close(struct ctl *ctl);

#endif
