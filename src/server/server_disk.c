/*
 * server_disk.c - the disk of a server: how many threads it has, and how much of files
 * may be in memory.
 */
#include "config.h"

#include "server/server_disk.h"

#include "base/mem.h"
#include "conf/conf.h"
#include "disk/disk.h"
#include "core/host.h"
#include "core/server.h"

static struct disk_bounds
bounds_of(const struct server *srv)
{
	const struct config_limits *limits = &srv->newest->config->limits;
	uint64_t memory =
		limits->memory != 0 ? limits->memory : srv->memory_default;

	return (struct disk_bounds){
		.files = (size_t)limits->open_files,
		/* they count in the budget, and in nobody's share: without this
		 * another would be cut for them */
		.bytes = (size_t)MIN(limits->file_buffers, memory / 4),
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
