/*
 * services.h - whether the services that modules bring are there, and what of that an
 * administrator may not have meant.  Any thread.
 */
#ifndef MODULE_SERVICES_H
#define MODULE_SERVICES_H

#include <stdbool.h>

#include "base/str.h"

struct config;
struct config_host;
struct module_registry;
struct service;
struct tls_set;

/* At the host h; tls may be NULL. */
bool service_is_there(const struct service *s, const struct config *c,
	const struct config_host *h, const struct tls_set *tls);

/* fn(arg, h, domain) for each service that is there and is not for our users alone, so
 * that it talks to other servers where its host h does. */
void services_each_open(const struct config *c, const struct module_registry *r,
	const struct tls_set *tls,
	void (*fn)(void *arg, const struct config_host *h, struct str domain),
	void *arg);

/* Tells, a line each, which services are not there although modules of c have them,
 * with what would help; and what modules note of their options.  What is so at several
 * hosts is told once. */
void services_review(const struct config *c, const struct module_registry *r,
	const struct tls_set *tls, void (*tell)(void *arg, const char *text),
	void *arg);

#endif
