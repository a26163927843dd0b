/*
 * main_args.c - the command line of antiphond.  A file of its own, because
 * <getopt.h> and conf/option.h both have a struct option.
 */
#include "config.h"

#include "main_args.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/build_id.h"

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check-config", no_argument, NULL, 'C' },
	{ "show-config", no_argument, NULL, 'S' },
	{ "daemon", no_argument, NULL, 'd' },
	{ "module-dir", required_argument, NULL, 'm' },
	{ "new", no_argument, NULL, 'n' },
	{ "options-mdoc", no_argument, NULL, 'M' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"usage: antiphond [--config FILE] [--daemon] [--module-dir DIR] [--new]\n"
	"       antiphond --check-config | --show-config [--config FILE]\n"
	"       antiphond --help | --version\n"
	"\n"
	"  -c, --config FILE     the configuration (" SYSCONF_DIR
	"/antiphon/antiphond.yml)\n"
	"  -d, --daemon          go into the background when ready\n"
	"      --check-config    say what is wrong with the configuration\n"
	"      --show-config     print what would be in force, defaults included\n"
	"      --module-dir DIR  where loadable modules are (" MODULE_DIR ")\n"
	"      --new             begin without accounts where the database is lost\n"
	"      --options-mdoc    print every option as an entry of the manual\n"
	"\n"
	"See antiphond(8), antiphond.yml(5), antiphonctl(8).\n";

static void
main_args_take(struct main_args *out, int option)
{
	char build[BUILD_ID_SIZE];

	switch (option) {
	case 'c':
		out->config = optarg;
		break;
	case 'C':
		out->check_config = true;
		break;
	case 'S':
		out->show_config = true;
		break;
	case 'd':
		out->daemon = true;
		break;
	case 'm':
		out->module_dir = optarg;
		break;
	case 'n':
		out->may_be_new = true;
		break;
	case 'M':
		out->show_mdoc = true;
		break;
	case 'h':
		fputs(usage, stdout);
		exit(0);
	case 'V':
		build_id(build);
		printf(PACKAGE_STRING "\nbuild %s\n", build);
		exit(0);
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

void
main_args_parse(struct main_args *out, int argc, char **argv)
{
	int option;

	*out = (struct main_args){
		.config = SYSCONF_DIR "/antiphon/antiphond.yml",
		.module_dir = MODULE_DIR,
	};
	while ((option = getopt_long(argc, argv, "c:dhV", long_options,
			NULL)) != -1)
		main_args_take(out, option);
	if (optind != argc) {
		fprintf(stderr, "antiphond: unexpected \"%s\"\n", argv[optind]);
		exit(2);
	}
}
