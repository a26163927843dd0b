/*
 * session_sleep.c - whether a session sleeps without its stream, and who says so.
 *
 * Owner shard of the account.
 */
#include "config.h"

#include "core/host.h"
#include "core/module_ctx.h"
#include "account/account_int.h"
#include "account/session.h"
#include "account/session_out.h"

bool
session_could_sleep(struct session *s)
{
	struct session_loss loss = { .session = s, .asks = true };

	return hook_run_for(account_host(s->account), HOOK_SESSION_LOST,
		       &loss) != NULL;
}

bool
session_may_sleep(struct session *s, struct session_sleep *out)
{
	struct session_loss loss = { .session = s };
	const struct hook_entry *by = hook_run_for(account_host(s->account),
		HOOK_SESSION_LOST, &loss);

	if (by == NULL)
		return false;
	out->us = loss.sleep_us;
	out->keeper = by->ctx->entry->session_slot.name;
	return true;
}

void
session_fall_asleep(struct session *s, const struct session_sleep *how)
{
	session_detach(s, how->us);
	session_out_keeper(s,
		how->keeper != NULL ? str_c(how->keeper) : STR_NONE);
	hook_run(account_host(s->account), HOOK_SESSION_ASLEEP, s);
}

void
session_put_to_sleep(struct session *s, const struct module_ctx *by,
	enum stream_cond cond, const char *text, int64_t for_us)
{
	struct session_sleep how = {
		.us = for_us,
		.keeper = by != NULL ? by->entry->session_slot.name : NULL,
	};

	s->ops->close(s->stream, cond, text);
	session_fall_asleep(s, &how);
}
