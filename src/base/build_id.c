/*
 * build_id.c - finds the note of the linker in memory: elf(5), NT_GNU_BUILD_ID.
 */
#include "config.h"

#include "base/build_id.h"

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"

/* The linker's, for where this program lies. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

#define NOTE_ALIGNED(n) (((n) + 3u) & ~(size_t)3)

static void
put_hex(const unsigned char *p, size_t n, char out[BUILD_ID_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	n = MIN(n, (BUILD_ID_SIZE - 1) / 2);
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = '\0';
}

/* Is it among the notes in n bytes at p? */
static bool
notes_search(const char *p, size_t n, char out[BUILD_ID_SIZE])
{
	while (n >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *note = (const void *)p;
		const char *name = p + sizeof(*note);
		const char *desc = name + NOTE_ALIGNED(note->n_namesz);
		size_t bytes = sizeof(*note) + NOTE_ALIGNED(note->n_namesz) +
			NOTE_ALIGNED(note->n_descsz);

		if (bytes > n)
			return false;
		if (note->n_type == NT_GNU_BUILD_ID &&
			note->n_namesz == sizeof("GNU") &&
			strcmp(name, "GNU") == 0) {
			put_hex((const unsigned char *)desc, note->n_descsz,
				out);
			return true;
		}
		p += bytes;
		n -= bytes;
	}
	return false;
}

void
build_id_of(const void *image, char out[BUILD_ID_SIZE])
{
	const ElfW(Ehdr) *head = image;
	const ElfW(Phdr) *parts =
		(const void *)((const char *)image + head->e_phoff);
	const char *base = NULL; /* from where addresses count */

	for (size_t i = 0; i < head->e_phnum; i++) {
		if (parts[i].p_type == PT_LOAD && base == NULL)
			base = (const char *)image - parts[i].p_vaddr;
	}
	for (size_t i = 0; base != NULL && i < head->e_phnum; i++) {
		if (parts[i].p_type == PT_NOTE &&
			notes_search(base + parts[i].p_vaddr,
				parts[i].p_memsz, out))
			return;
	}
	memcpy(out, "none", sizeof("none"));
}

void
build_id(char out[BUILD_ID_SIZE])
{
	build_id_of(&__ehdr_start, out);
}
