/*
 * privileges.h - what needs root is done first; then root is dropped for good.
 *
 * Start-up, before threads.
 */
#ifndef BASE_PRIVILEGES_H
#define BASE_PRIVILEGES_H

#include <stdbool.h>

struct err;

/* As many descriptors as the system permits; returns how many. */
unsigned long privileges_raise_files(void);

/*
 * Becomes user and group (NULL: the user's own) for good; it is checked that
 * there is no way back.  The log file goes along.  Does nothing for an ordinary
 * user.  Root without user is refused.
 */
bool privileges_drop(const char *user, const char *group, struct err *err);

#endif
