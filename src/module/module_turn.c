/*
 * module_turn.c - the line of an account as modules use it: what account_turn()
 * and account_halt() do, with the module held loaded meanwhile.
 *
 * Owner shard of the account.
 */
#include "config.h"

#include "base/mem.h"
#include "core/host.h"
#include "module/module.h"
#include "module/module_int.h"

struct module_turn {
	struct module_entry *entry;
	module_turn_fn fn;
	void *arg;
};

struct module_halt {
	struct module_entry *entry;
	struct account_step *step;
};

static void
on_turn(struct account *acc, const struct err *err, void *arg)
{
	struct module_turn turn = *(struct module_turn *)arg;
	struct host *host = acc != NULL ? account_host(acc) : NULL;

	free(arg);
	turn.fn(host != NULL ? module_at_host(host, turn.entry) : NULL, acc,
		err, turn.arg);
	module_release(turn.entry);
}

void
module_commit_in_turn(struct module_ctx *m, struct account *acc,
	struct store_tx *tx, module_turn_fn fn, void *arg)
{
	struct module_turn *turn = xmalloc(sizeof(*turn));

	*turn = (struct module_turn){ module_hold(m), fn, arg };
	account_turn(acc, tx, 0, on_turn, turn);
}

struct module_halt *
module_halt(struct module_ctx *m, struct account *acc)
{
	struct module_halt *halt = xmalloc(sizeof(*halt));

	*halt = (struct module_halt){ module_hold(m), account_halt(acc) };
	return halt;
}

void
module_go_on(struct module_halt *halt)
{
	account_go_on(halt->step);
	module_release(halt->entry);
	free(halt);
}
