/*
 * module_ask.c - iq_ask() as modules use it: each question counts as pending of
 * its module until it is answered, so that no answer meets code that is gone.
 */
#include "config.h"

#include "base/mem.h"
#include "module/module.h"

struct asked {
	struct module_entry *entry;
	iq_ask_fn fn;
	void *arg;
};

static void
on_answer(void *arg, const struct stanza *answer, const struct err *err)
{
	struct asked asked = *(struct asked *)arg;

	free(arg);
	asked.fn(asked.arg, answer, err);
	module_release(asked.entry);
}

void
module_ask(struct module_ctx *m, struct shard *sh, struct stanza *st,
	int64_t timeout_us, iq_ask_fn fn, void *arg)
{
	struct asked *asked = xmalloc(sizeof(*asked));

	*asked = (struct asked){ module_hold(m), fn, arg };
	iq_ask(sh, st, timeout_us, on_answer, asked);
}
