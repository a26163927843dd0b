/*
 * sqlite.h - what the SQLite driver is told by its options.
 */
#ifndef STORE_SQLITE_SQLITE_H
#define STORE_SQLITE_SQLITE_H

struct sqlite_conf {
	const char *path; /* of the database file */
};

#endif
