/*
 * main_args.h - the command line of antiphond.
 */
#ifndef MAIN_ARGS_H
#define MAIN_ARGS_H

#include <stdbool.h>

struct main_args {
	const char *config;
	const char *module_dir;
	bool daemon;       /* go into the background when ready */
	bool check_config; /* say what is wrong with it, and end */
	bool show_config;  /* say what is in force, and end */
	bool may_be_new;   /* the database, also where there was one */
	bool show_mdoc;    /* the options as manual entries, and end */
};

/* Ends the process for --help, --version and what it does not understand. */
void main_args_parse(struct main_args *out, int argc, char **argv);

#endif
