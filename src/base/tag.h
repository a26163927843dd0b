/*
 * tag.h - an object that comes back through a void * says what it is.
 *
 * Any thread.  Whoever hands an object to somebody who does not know its type,
 * the event loop, a mailbox, the store, a layer below, gets a pointer back that
 * no compiler checks, and that may be of an object which has ended meanwhile.  So
 * such an object has a field
 *
 *	uint32_t tag;
 *
 * which is set where it is made, looked at in the one function that casts
 * (conn_arg(), shard_arg()), and cleared where it ends.  The word has four
 * letters, and is no other's.
 */
#ifndef BASE_TAG_H
#define BASE_TAG_H

#include <assert.h>
#include <stdint.h>

#define TAG(word)                                                              \
	((uint32_t)(word)[0] << 24 | (uint32_t)(word)[1] << 16 |               \
		(uint32_t)(word)[2] << 8 | (uint32_t)(word)[3])
#define TAG_SET(p, word) ((void)((p)->tag = TAG(word)))
#define TAG_CHECK(p, word) assert((p)->tag == TAG(word))
/* Just before it is freed, where a compiler would leave out a plain store. */
#define TAG_CLEAR(p) ((void)(*(volatile uint32_t *)&(p)->tag = 0))

#endif
