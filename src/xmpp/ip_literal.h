/*
 * ip_literal.h - domains that are addresses of IP (RFC 7622 §3.2), and such that are
 * neither those nor names.
 *
 * Any thread; pure functions.
 */
#ifndef XMPP_IP_LITERAL_H
#define XMPP_IP_LITERAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#define IP_LITERAL_SIZE 16

/*
 * The address that s is: "192.0.2.1", "[2001:db8::1]", or without brackets, as an
 * administrator writes it.  No octal forms, no fewer than four numbers, no scopes,
 * and no dot of the root, which a prepared domain has not.
 * Its bytes in out, as they stand in a packet: 4, or 16; 0: it is none.
 */
size_t ip_literal_read(struct str s, char out[IP_LITERAL_SIZE]);
/*
 * Is domain no name that the DNS could have, since it is an address, or would be
 * taken for one: does it begin with a bracket, or end in a number (RFC 3696 §2)?
 */
bool ip_literal_is_like(struct str domain);

#endif
