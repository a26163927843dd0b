/*
 * seeds.h - what programs that simulate have in common: their arguments, and one run after
 * the other, each of a seed.
 *
 *   PROGRAM [--seeds N] [--first SEED] [--steps N] [--module-dir DIR] [--verbose]
 */
#ifndef SIM_SEEDS_H
#define SIM_SEEDS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

struct seeds {
	const char *program; /* its name */
	uint64_t first, n;
	unsigned steps;      /* of each */
	const char *module_dirs;
	unsigned failed;     /* so many did */
};

/* --verbose was asked for. */
extern bool seeds_verbose;

/* What stands there already is what holds where nothing is said.  False: it is to end with
 * status 2. */
bool seeds_read(struct seeds *s, int argc, char **argv);
/* Each seed, with arg; what fails is printed, so that it can be run again. */
void seeds_run(struct seeds *s,
	bool (*run)(uint64_t seed, unsigned steps, const char *modules, void *arg),
	void *arg);

/* A line: what is wrong with a seed. */
__attribute__((format(printf, 2, 0))) void seeds_fail(uint64_t seed, const char *fmt,
	va_list ap);
/* A line: what happens, for who wants to see it. */
__attribute__((format(printf, 1, 2))) void seeds_say(const char *fmt, ...);

#endif
