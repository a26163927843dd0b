/*
 * storage.h - what the configuration has to know of the drivers of the store:
 * each brings a table of options, which stand under `storage' beside those that
 * all drivers have.
 */
#ifndef CONF_STORAGE_H
#define CONF_STORAGE_H

#include <stddef.h>

#include "conf/option.h"

struct config_driver {
	const char *name; /* as in drivers.def */
	const char *help; /* how data is kept, one phrase, no full stop */
	/* No name is one of those of all drivers, and none is a list; NULL:
	 * there are none. */
	const struct option *options;
	size_t conf_size; /* of the struct that they fill */
};

#define DRIVER(name) extern const struct config_driver storage_##name;
#include "conf/drivers.def"
#undef DRIVER

/* In the order of drivers.def, which is that of config_storage_drivers; ends
 * with NULL. */
extern const struct config_driver *const config_drivers[];

#endif
