/*
 * http_port.h - the kinds of ports at which requests come by HTTP.
 */
#ifndef HTTP_HTTP_PORT_H
#define HTTP_HTTP_PORT_H

#include "conf/listen_kind.h"

/* Of the house: http, https, web. */
extern const struct listen_kind http_kinds[];
#define HTTP_KINDS 3

/* Is it a request that begins so?  Pure. */
enum listen_verdict http_recognise(struct str first);

#endif
