/*
 * test_caps.c - verification strings, against the examples of XEP-0115 §5.
 */
#include "config.h"

#include "xmpp/caps.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/text.h"
#include "xml/elem.h"
#include "core/stored.h"
#include "account/credentials.h"
#include "test.h"

#define QUERY "<query xmlns='http://jabber.org/protocol/disco#info'>"
#define FEATURES                                                               \
	"<feature var='http://jabber.org/protocol/muc'/>"                      \
	"<feature var='http://jabber.org/protocol/disco#items'/>"              \
	"<feature var='http://jabber.org/protocol/caps'/>"                     \
	"<feature var='http://jabber.org/protocol/disco#info'/>"

static const struct {
	const char *label, *in, *ver;
} examples[] = {
	{ "simple (XEP-0115 §5.2)",
		QUERY "<identity category='client' name='Exodus 0.9.1' "
		      "type='pc'/>" FEATURES "</query>",
		"QgayPKawpkPSDYmwT/WM94uAlu0=" },
	{ "complex (XEP-0115 §5.3)",
		QUERY "<identity xml:lang='en' category='client' "
		      "name='Psi 0.11' type='pc'/>"
		      "<identity xml:lang='el' category='client' "
		      "name='\xCE\xA8 0.11' type='pc'/>" FEATURES
		      "<x xmlns='jabber:x:data' type='result'>"
		      "<field var='software'><value>Psi</value></field>"
		      "<field var='ip_version' type='text-multi'>"
		      "<value>ipv6</value><value>ipv4</value></field>"
		      "<field var='os'><value>Mac</value></field>"
		      "<field var='FORM_TYPE' type='hidden'>"
		      "<value>urn:xmpp:dataforms:softwareinfo</value></field>"
		      "<field var='os_version'><value>10.5.1</value></field>"
		      "<field var='software_version'><value>0.11</value>"
		      "</field></x></query>",
		"q07IKJEyjvHSyhy//CH0CxmKi8w=" },
};

static void
ver_of(struct buf *out, const char *xml)
{
	struct arena *a = arena_new();
	struct elem *query = stored_read(a, str_c(xml));
	uint8_t digest[SCRAM_DIGEST_MAX];
	struct buf text = BUF_INIT;

	CHECK(query != NULL);
	caps_string(&text, a, query);
	scram_digest(SCRAM_SHA_1, buf_str(&text), digest);
	base64_encode(out, digest, scram_digest_size(SCRAM_SHA_1));
	buf_done(&text);
	arena_free(a);
}

TEST(the_examples_of_the_specification_come_out)
{
	for (size_t i = 0; i < COUNT(examples); i++) {
		struct buf ver = BUF_INIT;

		TEST_CASE(examples[i].label);
		ver_of(&ver, examples[i].in);
		CHECK_STR(buf_str(&ver), examples[i].ver);
		buf_done(&ver);
	}
}

TEST(a_form_without_type_and_a_field_without_name_do_not_count)
{
	struct buf with = BUF_INIT, without = BUF_INIT;

	ver_of(&with,
		QUERY "<x xmlns='jabber:x:data'><field var='a'/></x>"
		      "<x xmlns='jabber:x:data'><field var='FORM_TYPE'/></x>"
		      "<feature/><feature var='a'/></query>");
	ver_of(&without, QUERY "<feature var='a'/></query>");
	CHECK_STR(buf_str(&with), buf_c(&without));
	buf_done(&with);
	buf_done(&without);
}

TEST(nothing_hashes_to_nothing)
{
	struct arena *a = arena_new();
	struct buf text = BUF_INIT;

	caps_string(&text, a, stored_read(a, STR(QUERY "</query>")));
	CHECK_INT(text.n, 0);
	buf_done(&text);
	arena_free(a);
}

TEST_MAIN
