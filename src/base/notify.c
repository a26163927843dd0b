/*
 * notify.c - one datagram to the service manager's socket.
 */
#include "config.h"

#include "base/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void
notify_send(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	socklen_t n;
	int fd;

	if (path == NULL || strlen(path) >= sizeof(to.sun_path) ||
		(path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, strlen(path));
	n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (path[0] == '@')
		to.sun_path[0] = '\0'; /* an abstract address */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL,
		(const struct sockaddr *)&to, n);
	close(fd);
}
