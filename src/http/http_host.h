/*
 * http_host.h - what pages say of a host and its ports.
 */
#ifndef HTTP_HTTP_HOST_H
#define HTTP_HTTP_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct snapshot;

/* --- any thread -------------------------------------------------------------- */

/* Of entry i of `listen' in snap. */
bool http_port_is_open(const struct snapshot *snap, size_t i);
uint16_t http_port(const struct snapshot *snap, size_t i);

#endif
