/*
 * main_mdoc.c - every option as text of antiphond.yml(5), from the tables that
 * the parser reads: the page in man/ is held against it.
 */
#include "config.h"

#include "main_mdoc.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "conf/storage.h"
#include "module/module.h"
#include "module/module_int.h"

static void
mdoc_options(const struct option *options, struct buf *out)
{
	buf_add_c(out, ".Bl -tag -width Ds\n");
	option_mdoc(options, out);
	buf_add_c(out, ".El\n");
}

static void
mdoc_sentence(const char *text, struct buf *out)
{
	buf_printf(out, "%c%s.\n", toupper((unsigned char)text[0]), text + 1);
}

/* "RFC 6121 §4", with the sign as the manual writes it. */
static void
mdoc_specs(const char *specs, struct buf *out)
{
	for (; *specs != '\0'; specs++) {
		if (strncmp(specs, "\xc2\xa7", 2) == 0) {
			buf_add_c(out, "\\(sc");
			specs++;
		} else {
			buf_add(out, specs, 1);
		}
	}
	buf_add_c(out, ".\n");
}

/* What is no table: a map from areas. */
static void
mdoc_levels(struct buf *out)
{
	static const struct {
		const char *name, *meaning;
	} areas[] = {
#define LOG_AREA(id, name, meaning) { name, meaning },
#include "base/log.def"
#undef LOG_AREA
	};

	buf_add_c(out,
		".It Ic levels : Ar map\n"
		"A level for each area that is to have one of its own, such as\n"
		".Ql { auth: debug, net: warn } .\n"
		"The areas are:\n"
		".Bl -tag -width Ds -compact\n");
	for (size_t i = 0; i < COUNT(areas); i++) {
		buf_printf(out, ".It Cm %s\n", areas[i].name);
		mdoc_sentence(areas[i].meaning, out);
	}
	buf_add_c(out, ".El\n");
}

static void
mdoc_driver(const struct config_driver *driver, struct buf *out)
{
	buf_printf(out, ".Ss storage: %s\n", driver->name);
	mdoc_sentence(driver->help, out);
	if (driver->options != NULL && driver->options->name != NULL)
		mdoc_options(driver->options, out);
	else
		buf_add_c(out, "It has no options of its own.\n");
}

static void
mdoc_drivers(struct buf *out)
{
	for (size_t i = 0; config_drivers[i] != NULL; i++)
		mdoc_driver(config_drivers[i], out);
}

static void
mdoc_kind(const struct listen_kind *k, struct buf *out)
{
	buf_printf(out, ".It Cm %s\n", k->name);
	mdoc_sentence(k->summary, out);
	if (k->address != NULL)
		buf_printf(out,
			"The address is %s, unless another one is named.\n",
			k->address);
	for (unsigned i = 0; i < LISTEN_TLS_MODES; i++) {
		if ((k->tls_modes & LISTEN_MAY(i)) == 0)
			continue;
		buf_printf(out, "With\n.Ql tls: %s%s\n",
			config_listen_tls[i],
			i == k->tls ? " ,\nthe default," : " ,");
		if (k->ports[i] != 0)
			buf_printf(out, "the port is %u.\n",
				(unsigned)k->ports[i]);
		else
			buf_add_c(out, "the port has to be named.\n");
	}
}

static void
mdoc_kinds(const char *intro, const struct listen_kind *k, struct buf *out)
{
	if (k == NULL)
		return;
	buf_printf(out, "%s\n.Bl -tag -width Ds\n", intro);
	for (; k->name != NULL; k++)
		mdoc_kind(k, out);
	buf_add_c(out, ".El\n");
}

static void
mdoc_section(const struct config_section *section,
	const struct listen_kind *kinds, struct buf *out)
{
	if (*section->name != '\0')
		buf_printf(out, ".Ss %s\n", section->name);
	else
		buf_add_c(out, ".Ss Top level\n");
	mdoc_sentence(section->help, out);
	buf_add_c(out, ".Bl -tag -width Ds\n");
	option_mdoc(section->options, out);
	if (strcmp(section->name, "log") == 0)
		mdoc_levels(out);
	buf_add_c(out, ".El\n");
	if (strcmp(section->name, "storage") == 0)
		mdoc_drivers(out);
	if (strcmp(section->name, "listen") == 0)
		mdoc_kinds("The kinds of ports are these, and those of modules:",
			kinds, out);
}

static void
mdoc_module(const struct module *module, bool is_default, struct buf *out)
{
	buf_printf(out, ".Ss modules: %s\n", module->name);
	mdoc_sentence(module->summary, out);
	if (module->specs != NULL)
		mdoc_specs(module->specs, out);
	buf_printf(out, "It is %s unless a file says otherwise.\n",
		is_default ? "on" : "off");
	if (module->options != NULL && module->options->name != NULL)
		mdoc_options(module->options, out);
	else
		buf_add_c(out, "It has no options.\n");
	mdoc_kinds("It brings these kinds of ports, see\n.Ic listen :",
		module->listeners, out);
}

void
main_mdoc(struct module_registry *modules)
{
	struct module_look *look = module_look_new(modules, false);
	struct config_modules known;
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	for (const struct config_section *s = config_sections; s->name != NULL;
		s++)
		mdoc_section(s, modules->kinds, &out);
	module_config(look, &known);
	for (size_t i = 0; i < known.n_names; i++) {
		const struct module_entry *e =
			module_open(look, str_c(known.names[i]), &err);

		if (e != NULL)
			mdoc_module(e->module, known.defaults[i] != NULL, &out);
		else
			fprintf(stderr, "antiphond: %s\n", err.text);
	}
	module_look_free(look);
	fwrite(out.p, 1, out.n, stdout);
	buf_done(&out);
}
