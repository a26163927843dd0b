/*
 * seeds.c - one run after the other, each of a seed.
 */
#include "config.h"

#include "seeds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

bool seeds_verbose;

bool
seeds_read(struct seeds *s, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--verbose") == 0)
			seeds_verbose = true;
		else if (i + 1 == argc)
			return false;
		else if (strcmp(argv[i], "--seeds") == 0)
			s->n = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--first") == 0)
			s->first = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--steps") == 0)
			s->steps = (unsigned)strtoul(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--module-dir") == 0)
			s->module_dirs = argv[++i];
		else
			return false;
	}
	return true;
}

void
seeds_run(struct seeds *s,
	bool (*run)(uint64_t seed, unsigned steps, const char *modules, void *arg),
	void *arg)
{
	char *modules = world_modules(s->module_dirs);

	for (uint64_t seed = s->first; seed < s->first + s->n; seed++) {
		if (run(seed, s->steps, modules, arg))
			continue;
		fprintf(stderr,
			"seed %llu failed: %s --first %llu --seeds 1 --steps %u\n",
			(unsigned long long)seed, s->program,
			(unsigned long long)seed, s->steps);
		s->failed++;
	}
	world_modules_free(modules, s->module_dirs);
}

void
seeds_fail(uint64_t seed, const char *fmt, va_list ap)
{
	fprintf(stderr, "seed %llu: ", (unsigned long long)seed);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void
seeds_say(const char *fmt, ...)
{
	va_list ap;

	if (!seeds_verbose)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}
