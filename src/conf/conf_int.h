/*
 * conf_int.h - what the files of conf.h share while a configuration is built.
 */
#ifndef CONF_CONF_INT_H
#define CONF_CONF_INT_H

#include <stdatomic.h>

#include "base/vec.h"
#include "conf/conf.h"

struct arena;
struct yaml_node;

/* The domain of a service, at which host, and of which module. */
struct config_service {
	struct str domain;
	const char *host;
	const char *module;
};

/* struct config and what only this folder sees of it. */
struct config_whole {
	struct config c;
	atomic_uint refs;
	struct arena *arena;
	const struct config_modules *modules; /* borrowed while reading */
	/* Where each host stands, and modules for hosts that say nothing of their
	 * own; while reading. */
	const struct yaml_node *general_modules;
	const struct config_module *general;
	size_t n_general;
	struct VEC(struct config_service) services;
};

/* In conf_federation.c, conf_limits.c, conf_proxies.c, and all others in
 * conf_options.c; each ends with a name of NULL. */
extern const struct option config_proxies_options[];
extern const struct option config_federation_options[];
extern const struct option config_s2s_options[];
extern const struct option config_remote_options[];
extern const struct option config_server_options[];
extern const struct option config_control_options[];
extern const struct option config_log_options[];
extern const struct option config_listen_options[];
extern const struct option config_storage_options[];
extern const struct option config_tls_options[];
extern const struct option config_dns_options[];
extern const struct option config_http_options[];
extern const struct option config_limits_options[];
extern const struct option config_auth_options[];
extern const struct option config_host_options[];
extern const struct option config_component_options[];

/* A map like map (may be NULL) without the keys in names, in the arena of a;
 * map itself when it is no map. */
const struct yaml_node *config_without(struct arena *a,
	const struct yaml_node *map, const char *const *names, size_t n_names);

/* conf_storage.c: `storage` of the file (may be NULL). */
void config_storage_apply(struct config_whole *w, const struct yaml_node *node,
	struct conf_errors *m);

/* conf_federation.c: `federation` (may be NULL), of the file or, over it, of a host;
 * `remotes` of the file. */
void config_federation_apply(struct config_whole *w,
	const struct yaml_node *node, const char *path, bool over,
	struct config_federation *out, struct conf_errors *m);
void config_remotes_apply(struct config_whole *w, const struct yaml_node *node,
	struct conf_errors *m);

/* conf_proxies.c: `proxies` of the file (may be NULL). */
void config_proxies_apply(struct config_whole *w, const struct yaml_node *node,
	struct conf_errors *m);

/* conf_hosts.c: `modules` and `hosts` of the whole file. */
bool config_hosts_apply(struct config_whole *w, const struct yaml_node *root,
	struct conf_errors *m);

/* conf_listen.c: `listen`, behind the modules of all hosts. */
void config_listen_apply(struct config_whole *w, const struct yaml_node *root,
	struct conf_errors *m);

/* conf_components.c: `components` of the whole file, behind `hosts`. */
void config_components_apply(struct config_whole *w,
	const struct yaml_node *node, struct conf_errors *m);

/* conf_grants.c: what components may do, behind all of them; nodes are theirs. */
void config_grants_apply(struct config_whole *w,
	const struct yaml_node *const *nodes, struct conf_errors *m);

/* conf_web.c: what h says of itself for the web. */
void config_web_check(const struct config_host *h, const struct yaml_node *node,
	const char *path, struct conf_errors *m);

/* conf_services.c: no domain of a service is one of a host, or of another service.
 * nodes are those of the hosts. */
void config_services_check(struct config_whole *w,
	const struct yaml_node *const *nodes, struct conf_errors *m);

/* conf_modules.c: `modules` of the whole file (may be NULL), then of one host
 * (domain, may be NULL).  config_modules_general comes first. */
bool config_modules_general(struct config_whole *w,
	const struct yaml_node *node, struct conf_errors *m);
bool config_modules_host(struct config_whole *w, struct config_host *h,
	const struct yaml_node *host, struct conf_errors *m);

#endif
