/*
 * test_stream_recognise.c - whose a stream is, from its first bytes.
 */
#include "config.h"

#include "stream/stream.h"

#include "base/mem.h"
#include "xmpp/ns.h"
#include "test.h"

#define STREAMS " xmlns:stream='http://etherx.jabber.org/streams'"
#define DECL "<?xml version='1.0'?>"

enum whose { NOBODYS, CLIENTS, SERVERS, OPEN };

static const struct {
	const char *said;
	enum whose whose;
} cases[] = {
	{ DECL "<stream:stream xmlns='jabber:client'" STREAMS ">", CLIENTS },
	{ DECL "<stream:stream" STREAMS " xmlns='jabber:server'>", SERVERS },
	{ "<stream:stream to='a' xmlns=\"jabber:client\"", CLIENTS },
	{ "\xef\xbb\xbf" DECL "\n <s:s xmlns = 'jabber:server'", SERVERS },
	{ "<stream:stream\n\txmlns\r=\n\"jabber:server\"/>", SERVERS },
	{ "<stream:stream a='xmlns=\"jabber:client\"' "
	  "xmlns='jabber:server'>", SERVERS },
	{ "<stream:stream a='>' xmlns='jabber:client'>", CLIENTS },
	{ "<stream:stream xmlns:db='jabber:client' xmlns='jabber:server'",
		SERVERS },
	{ "<stream:stream xmlns='jabber:component:accept'>", NOBODYS },
	{ "<stream:stream xmlns='jabber:clients'>", NOBODYS },
	{ "<stream:stream xmlns='jabber:clien'>", NOBODYS },
	{ "<stream:stream xmlns=''>", NOBODYS },
	{ "<stream:stream" STREAMS "><a xmlns='jabber:client'>", NOBODYS },
	{ "<stream:stream/>", NOBODYS },
	{ "<stream:stream xmlns=jabber:client>", NOBODYS },
	{ "<!DOCTYPE a>", NOBODYS },
	{ "<!-- xmlns='jabber:client' -->", CLIENTS }, /* the parser refuses it */
	{ "GET / HTTP/1.1\r\n", NOBODYS },
	{ "\x16\x03\x01", NOBODYS },
	{ DECL "x", NOBODYS },
	{ "x", NOBODYS },
	{ "", OPEN },
	{ " \r\n", OPEN },
	{ "<", OPEN },
	{ "\xef", OPEN },
	{ "<?xml version=", OPEN },
	{ DECL, OPEN },
	{ "<stream:stream xmlns='jabber:client", OPEN },
	{ "<stream:stream xmlns", OPEN },
	{ "<stream:stream xmlns =", OPEN },
};

static enum listen_verdict
wanted(enum whose whose, enum whose asked)
{
	return whose == asked ? LISTEN_MINE :
		whose == OPEN ? LISTEN_MORE :
				LISTEN_NOT_MINE;
}

TEST(a_header_tells_by_its_default_namespace)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct str said = str_c(cases[i].said);

		TEST_CASE(cases[i].said);
		CHECK_INT(stream_recognise(STR(NS_CLIENT), said),
			wanted(cases[i].whose, CLIENTS));
		CHECK_INT(stream_recognise(STR(NS_SERVER), said),
			wanted(cases[i].whose, SERVERS));
	}
}

TEST(nothing_is_said_before_the_namespace_is_whole)
{
	struct str said = STR(DECL "<stream:stream to='a'" STREAMS
				   " xmlns='jabber:server'");

	for (size_t n = 0; n < said.n; n++)
		CHECK_INT(stream_recognise(STR(NS_SERVER),
				  (struct str){ said.p, n }),
			LISTEN_MORE);
	CHECK_INT(stream_recognise(STR(NS_SERVER), said), LISTEN_MINE);
}

TEST_MAIN
