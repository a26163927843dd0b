/*
 * ctl_socket.h - the file of the control socket: made, protected, removed.
 */
#ifndef CTL_CTL_SOCKET_H
#define CTL_CTL_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

struct ctl;
struct err;

/* Start-up: fills in the fd, path, group and users of ctl from the configuration.
 * Refuses when another server answers there, and when the file is no socket. */
bool ctl_socket_open(struct ctl *ctl, struct err *err);
/* The file goes too, if it is still ours. */
void ctl_socket_close(struct ctl *ctl);
/* The name of uid, for the log; NULL: it is not known.  Any thread. */
const char *ctl_user_name(const struct ctl *ctl, uid_t uid);

#endif
