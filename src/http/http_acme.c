/*
 * http_acme.c - challenges of ACME over HTTP (RFC 8555 §8.3): files that a program such
 * as certbot has put below a folder, for whoever asks.
 *
 * Owner shard of the request.  The folder is opened anew each time, for certbot removes
 * it when it is done.
 */
#include "config.h"

#include "base/err.h"
#include "base/mem.h"
#include "disk/disk.h"
#include "core/server.h"
#include "http/http_exchange.h"

#define BELOW "/.well-known/acme-challenge"
/* At least 128 bits in base64url (RFC 8555 §8.3); authorities have 43. */
#define TOKEN_MAX 128

/* No '.', and so no way out of the folder. */
static bool
is_token(struct str text)
{
	size_t i = 0;

	while (i < text.n &&
		((text.p[i] >= 'a' && text.p[i] <= 'z') ||
			(text.p[i] >= 'A' && text.p[i] <= 'Z') ||
			(text.p[i] >= '0' && text.p[i] <= '9') ||
			text.p[i] == '-' || text.p[i] == '_'))
		i++;
	return i == text.n && i != 0 && i <= TOKEN_MAX;
}

static void
acme_refuse(struct http_request *r, unsigned status)
{
	http_answer(r, status, NULL,
		status == 404 ? STR("There is no such challenge.\n") :
				STR("Ask later.\n"));
}

static void
on_acme_opened(void *arg, struct disk_file *f, const struct err *why)
{
	static const struct http_field fields[] = {
		{ "Content-Type", STR("application/octet-stream") },
		{ .name = NULL },
	};
	struct http_request *r = arg;

	if (http_is_gone(r))
		disk_file_close(f);
	else if (f != NULL)
		http_answer_file(r,
			&(struct http_file){ .file = f,
				.size = disk_file_size(f) },
			fields);
	else
		acme_refuse(r, why->code == ERR_BUSY ? 503 : 404);
	http_let_go(r);
}

static void
acme_open(struct http_request *r, const char *webroot, struct str token)
{
	struct err err = ERR_INIT;
	struct buf path = BUF_INIT;
	struct disk_folder *folder;

	buf_printf(&path, "%s%s", webroot, BELOW);
	folder = disk_folder_of_others(r->shard->server->disk, buf_c(&path));
	http_hold(r);
	if (!disk_open(folder, token, &r->shard->mailbox, on_acme_opened, r,
		    &err)) {
		acme_refuse(r, 503);
		http_let_go(r);
	}
	disk_folder_unref(folder);
	buf_done(&path);
}

void
http_acme_begin(struct module_ctx *m, struct http_request *r)
{
	const char *webroot = r->shard->snap->config->http.acme_webroot;
	struct str token = r->rest;

	(void)m;
	if (token.n != 0) {
		token.p++; /* the '/' */
		token.n--;
	}
	if (webroot == NULL || !is_token(token))
		acme_refuse(r, 404);
	else if (http_want_file(r))
		acme_open(r, webroot, token);
}
