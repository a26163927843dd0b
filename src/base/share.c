/*
 * share.c - the share that a thread counts in now.
 */
#include "config.h"

#include "base/share.h"

static _Thread_local struct share *current;

struct share *
share_set(struct share *s)
{
	struct share *before = current;

	current = s;
	return before;
}

struct share *
share_current(void)
{
	return current;
}
