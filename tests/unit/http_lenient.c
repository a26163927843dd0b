/*
 * http_lenient.c - has llhttp let through whatever it can be told to.
 */
#include "config.h"

#include <llhttp.h>

void __real_llhttp_init(llhttp_t *ll, llhttp_type_t type,
	const llhttp_settings_t *settings);
void __wrap_llhttp_init(llhttp_t *ll, llhttp_type_t type,
	const llhttp_settings_t *settings);

/* Linked in place of llhttp_init(). */
void
__wrap_llhttp_init(llhttp_t *ll, llhttp_type_t type,
	const llhttp_settings_t *settings)
{
	__real_llhttp_init(ll, type, settings);
	llhttp_set_lenient_headers(ll, 1);
	llhttp_set_lenient_chunked_length(ll, 1);
	llhttp_set_lenient_keep_alive(ll, 1);
	llhttp_set_lenient_transfer_encoding(ll, 1);
}
