/*
 * main_mdoc.h - every option as text of antiphond.yml(5).
 */
#ifndef MAIN_MDOC_H
#define MAIN_MDOC_H

struct module_registry;

/* Sections of the house, then those of the bundled modules, to standard
 * output. */
void main_mdoc(struct module_registry *modules);

#endif
