/*
 * test_server_dns.c - the server's own resolver: answered by the configuration that is
 * in force, each question once.
 */
#include "config.h"

#include "server/server_dns.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dns/dns.h"
#include "core/shard.h"

#include "c2s_world.h"
#include "test.h"

#define YAML(hosts)                                                            \
	"shards: 2\nstorage: { driver: memory }\nhosts: { example.org: {} }\n" \
	"dns: { dnssec: off, servers: [ 127.0.0.1@9 ], hosts_file: " hosts " }\n"

struct desk {
	struct world world;
	char hosts[128];
	unsigned n;     /* answers */
	char last[4];   /* the address */
	bool found;
};

static void
desk_write(struct desk *d, const char *address)
{
	FILE *f;

	certs_dir_file(&d->world.dir, "hosts", d->hosts);
	f = fopen(d->hosts, "w");
	CHECK(f != NULL && fprintf(f, "%s far.example\n", address) > 0);
	CHECK(fclose(f) == 0);
}

static void
desk_reload(struct desk *d)
{
	char yaml[512];

	snprintf(yaml, sizeof(yaml), YAML("%s"), d->hosts);
	world_reload(&d->world, yaml);
}

static void
on_answer(void *arg, struct dns_question *q)
{
	struct desk *d = arg;

	d->n++;
	d->found = q->parts[0].state == DNS_FOUND;
	if (d->found)
		memcpy(d->last, q->parts[0].data[0], sizeof(d->last));
	dns_question_free(q);
}

static void
desk_ask(struct desk *d, unsigned shard)
{
	struct dns_question *q = dns_question_new(1, on_answer, d);

	dns_question_add(q, "far.example", DNS_A);
	server_dns_ask(d->world.server->shards[shard], q);
}

static void
desk_wait(struct desk *d, unsigned n)
{
	while (d->n < n) {
		world_settle(&d->world);
		usleep(1000);
	}
	CHECK_INT(d->n, n);
}

static void
desk_init(struct desk *d)
{
	*d = (struct desk){ .n = 0 };
	world_init(&d->world, 2, "", "");
	desk_write(d, "192.0.2.1");
	desk_reload(d);
}

TEST(each_shard_gets_its_answers)
{
	struct desk d;

	desk_init(&d);
	CHECK(d.world.server->dns == NULL);
	desk_ask(&d, 0);
	CHECK_INT(d.n, 0);
	desk_ask(&d, 1);
	desk_wait(&d, 2);
	CHECK(d.found && memcmp(d.last, "\xc0\x00\x02\x01", 4) == 0);
	world_done(&d.world);
}

/* Files are read anew, and the one before ends. */
TEST(a_reload_has_another_one_made)
{
	struct server_dns *before;
	struct desk d;

	desk_init(&d);
	desk_ask(&d, 0);
	desk_wait(&d, 1);
	before = d.world.server->dns;
	desk_write(&d, "192.0.2.2");
	desk_ask(&d, 0);
	desk_wait(&d, 2);
	CHECK(memcmp(d.last, "\xc0\x00\x02\x01", 4) == 0);
	desk_reload(&d);
	desk_ask(&d, 1);
	desk_wait(&d, 3);
	CHECK(d.found && memcmp(d.last, "\xc0\x00\x02\x02", 4) == 0);
	CHECK(d.world.server->dns != before);
	world_advance(&d.world, 60 * US_PER_S);
	desk_ask(&d, 0);
	desk_wait(&d, 4);
	CHECK(d.found);
	world_done(&d.world);
}

/* Whatever is asked is answered before the server is gone. */
TEST(a_stop_answers_what_is_asked)
{
	struct desk d;

	desk_init(&d);
	desk_ask(&d, 1);
	desk_wait(&d, 1);
	desk_ask(&d, 0);
	desk_ask(&d, 1);
	world_done(&d.world);
	CHECK_INT(d.n, 3);
}

TEST_MAIN
