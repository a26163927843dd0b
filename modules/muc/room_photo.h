/*
 * room_photo.h - the pictures in a vCard (XEP-0054, XEP-0153 §4.6, XEP-0486 §5.1).
 *
 * Any thread; pure functions.
 */
#ifndef MUC_ROOM_PHOTO_H
#define MUC_ROOM_PHOTO_H

#include "module/module.h"

/* Of one vCard: the same picture in so many forms. */
#define PHOTOS_MAX 4

/*
 * Appends the hash of each picture of card (XEP-0153 §3.1: SHA-1, in hex), with a blank
 * between.  False, with why_out (kept) for people, where one is no base64, empty, or no
 * picture that clients know, or there are too many.  a is for what is needed meanwhile.
 */
bool photo_hashes(struct buf *out, struct arena *a, const struct elem *card,
	const char **why_out);

#endif
