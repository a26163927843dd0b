/*
 * main_check.h - what would make a start fail, beside what is wrong with the
 * configuration in itself.
 */
#ifndef MAIN_CHECK_H
#define MAIN_CHECK_H

#include <stdbool.h>

struct config;
struct module_registry;

/*
 * Looks at certificates, addresses, users, groups, folders and the database that
 * c names, and says on standard error what is wrong, a line each.  Changes
 * nothing but, as root, the user of this process: it has to end after it.
 */
bool main_check(const struct config *c, const struct module_registry *modules);

#endif
