/*
 * build_id.h - which build this is: the number that the linker has made of what
 * it linked (--build-id), by which a program and its debug files are told from
 * all others of the same version.
 *
 * Any thread, and handlers of signals.
 */
#ifndef BASE_BUILD_ID_H
#define BASE_BUILD_ID_H

/* In hexadecimal digits, with a NUL. */
#define BUILD_ID_SIZE 65

/* Of this program; "none" where the linker made none. */
void build_id(char out[BUILD_ID_SIZE]);
/* Of the program or library that is loaded with its ELF header at image. */
void build_id_of(const void *image, char out[BUILD_ID_SIZE]);

#endif
