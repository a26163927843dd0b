/*
 * parser_lex.c - how far an unfinished token has come.
 *
 * Expat reads an unfinished token again from its start whenever bytes are
 * added: quadratic, when a large tag drips in.  Its own remedy waits for more
 * bytes and so delays stanzas that are complete (hostile 8).  So tags are held
 * back here until their ">" has come, and each byte is looked at once.
 * It is also here that "<!" and "<?" are refused before the rest arrives.
 */
#include "config.h"

#include "xml/parser_int.h"

/* An XML declaration with all its parts and some white space. */
#define DECLARATION_MAX 256
/* UTF-8's byte order mark may stand before the declaration. */
#define BOM_BYTES 3

/* False when the rest of the declaration has to come first. */
static bool
prolog_declaration(struct xml_parser *p)
{
	const char *at = p->header.p + p->prolog_at;
	size_t n = p->header.n - p->prolog_at;
	const char *end = memmem(at, n, "?>", 2);

	if (p->prolog_at > BOM_BYTES || (end == NULL && n > DECLARATION_MAX)) {
		parser_fail(p, XML_FAULT_RESTRICTED, "processing instruction");
		return false;
	}
	if (end == NULL)
		return false;
	p->prolog_at += (size_t)(end - at) + 2;
	return true;
}

static bool
prolog_byte_ok(const struct xml_parser *p, char c)
{
	/* that the mark is complete, expat sees to */
	if (p->prolog_at < BOM_BYTES && memchr("\xEF\xBB\xBF", c, 3) != NULL)
		return true;
	return memchr(" \t\r\n", c, 4) != NULL;
}

void
parser_check_prolog(struct xml_parser *p, size_t n)
{
	while (!p->root_begun && p->prolog_at < p->header.n) {
		const char *at = p->header.p + p->prolog_at;

		if (*at != '<' && prolog_byte_ok(p, *at)) {
			p->prolog_at++;
			continue;
		}
		if (*at != '<') {
			parser_fail(p, XML_FAULT_NOT_WELL_FORMED,
				"text before the stream");
			return;
		}
		if (p->header.n - p->prolog_at < 2)
			return;
		if (at[1] == '!') {
			parser_fail(p, XML_FAULT_RESTRICTED,
				"comment or document type");
			return;
		}
		if (at[1] != '?') {
			p->root_begun = true;
			/* expat has got the "<" before we knew */
			if (p->prolog_at < p->header.n - n)
				p->lex = LEX_LESS;
			return;
		}
		if (!prolog_declaration(p))
			return;
	}
}

/* One byte further; LEX_NONE when expat has to see the token. */
static enum lex
lex_step(struct xml_parser *p, enum lex lex, char c)
{
	switch (lex) {
	case LEX_NONE:
		break;
	case LEX_LESS:
		if (c == '!')
			return LEX_LESS_BANG;
		if (c == '?') {
			parser_fail(p, XML_FAULT_RESTRICTED,
				"processing instruction");
			break;
		}
		return c == '>' ? LEX_NONE : LEX_TAG;
	case LEX_LESS_BANG:
		if (c != '[')
			parser_fail(p, XML_FAULT_RESTRICTED,
				"comment or document type");
		break;
	case LEX_TAG:
		if (c == '"')
			return LEX_TAG_DOUBLE;
		if (c == '\'')
			return LEX_TAG_SINGLE;
		return c == '>' || c == '<' ? LEX_NONE : LEX_TAG;
	case LEX_TAG_SINGLE:
		if (c == '\'')
			return LEX_TAG;
		return c == '<' ? LEX_NONE : lex;
	case LEX_TAG_DOUBLE:
		if (c == '"')
			return LEX_TAG;
		return c == '<' ? LEX_NONE : lex;
	}
	return LEX_NONE;
}

bool
parser_lex_more(struct xml_parser *p, const char *data, size_t n)
{
	enum lex lex = p->lex;

	for (size_t i = 0; i < n && lex != LEX_NONE; i++)
		lex = lex_step(p, lex, data[i]);
	p->lex = lex;
	return lex == LEX_NONE;
}

void
parser_lex_begin(struct xml_parser *p, const char *data, size_t n)
{
	p->lex = LEX_NONE;
	if (data[0] != '<' || (p->depth == 0 && !p->root_begun))
		return;
	p->lex = LEX_LESS;
	parser_lex_more(p, data + 1, n - 1);
}
