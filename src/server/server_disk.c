/*
 * server_disk.c - the disk of a server: how many threads it has, and how much of files
 * may be in memory.
 */
#include "config.h"

#include "server/server_disk.h"

#include "conf/conf.h"
#include "disk/disk.h"
#include "core/host.h"
#include "core/server.h"

static struct disk_bounds
bounds_of(const struct server *srv)
{
	const struct config_limits *limits = &srv->newest->config->limits;

	return (struct disk_bounds){
		.files = (size_t)limits->open_files,
		.bytes = (size_t)limits->file_buffers,
	};
}

void
server_disk_open(struct server *srv)
{
	struct disk_bounds bounds = bounds_of(srv);
	int64_t n_threads = srv->newest->config->server.disk_threads;

	srv->disk = disk_new(srv->threaded ? (unsigned)n_threads : 0, &bounds);
}

void
server_disk_follow(struct server *srv)
{
	struct disk_bounds bounds = bounds_of(srv);

	disk_bound(srv->disk, &bounds);
}
