/*
 * main_crash.c - where the reports of crashes are, and what the last one says.
 *
 * They lie beside the database: in a folder that is the server's own, on a disk
 * that stays, whatever the service manager is, and two servers do not take
 * theirs for each other's.
 */
#include "config.h"

#include "main_crash.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/crash.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "store/driver.h"
#include "core/host.h"
#include "core/server.h"

/* NULL: there is no file to lie beside. */
static const char *
database_path(const struct config_storage *conf)
{
	const struct store_driver *driver = store_driver_find(
		config_storage_drivers[conf->driver], NULL);

	return driver != NULL && driver->path != NULL ?
		driver->path(conf->own) :
		NULL;
}

void
main_crash_keep(struct server *srv)
{
	const char *path = database_path(&srv->newest->config->storage);
	struct buf prefix = BUF_INIT;
	struct crash_last last;
	struct err err = ERR_INIT;

	if (path == NULL)
		return;
	buf_printf(&prefix, "%s.crash-", path);
	if (crash_last(buf_c(&prefix), &last)) {
		srv->last_crash = xmalloc(sizeof(last));
		*srv->last_crash = last;
		if (last.is_new)
			log_error(LOG_SERVER, LOG_NOBODY,
				"the last run ended in a crash report=%s at=%s reason=\"%s\"",
				last.file, last.time, last.reason);
	}
	if (!crash_keep(buf_c(&prefix), &err))
		log_warn(LOG_SERVER, LOG_NOBODY,
			"reports of crashes will be in the log alone reason=\"%s\"",
			err.text);
	buf_done(&prefix);
}
