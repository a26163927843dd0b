/*
 * s2s_out.h - streams that we open to other servers.
 */
#ifndef STREAM_SERVER_S2S_OUT_H
#define STREAM_SERVER_S2S_OUT_H

struct remote_streams;

/* For struct server: what makes the streams to remote domains. */
extern const struct remote_streams s2s_streams;

#endif
