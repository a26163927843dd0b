/*
 * upload_text.h - names and types of files, as strangers give them and as they are
 * shown to browsers.
 *
 * Any thread; pure functions.
 */
#ifndef MODULES_UPLOAD_UPLOAD_TEXT_H
#define MODULES_UPLOAD_UPLOAD_TEXT_H

#include "module/module.h"

/* Of a file's name, in bytes: what file systems of those who save it take. */
#define UPLOAD_NAME_MAX 255
/* Of its type: RFC 6838 §4.2 has 127 for each half. */
#define UPLOAD_TYPE_MAX 255

/*
 * Appends the name under which a file goes that its sender calls so: it can be a
 * segment of a path, of UPLOAD_NAME_MAX bytes at most, and its ending is kept
 * (XEP-0363 §4).  Slashes, backslashes, controls, and what turns the order of letters
 * around, become '_', and so does what is "." or "..".  False, and nothing is appended, for one that is empty.
 */
bool upload_name_make(struct buf *out, struct str name);

/* Is it a media type, perhaps with parameters, that can stand in a header
 * (RFC 9110 §8.3.1)? */
bool upload_type_ok(struct str type);
/* Do two such say the same?  Letters of any case, blanks around ';' apart. */
bool upload_type_eq(struct str a, struct str b);

/* How a file of a type is served: what we say that it is, and whether a browser may
 * show it in place. */
struct upload_served {
	const char *type;
	bool is_inline;
};

/* Of types that are not in the list, and of none, nothing is said: a browser that
 * took them for what they claim might run them (hostile 64). */
struct upload_served upload_serve_as(struct str type);

/* Appends the value of Content-Disposition (RFC 6266) for a file of that name. */
void upload_disposition(struct buf *out, bool is_inline, struct str name);

#endif
