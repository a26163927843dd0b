/*
 * privileges.c - root is dropped for good.
 */
#include "config.h"

#include "base/privileges.h"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"

/* Beyond this the kernel's own limit (nr_open) refuses on most machines. */
#define FILES_WANTED (1ul << 20)

unsigned long
privileges_raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return 0;
	if (geteuid() == 0 && limit.rlim_max < FILES_WANTED) {
		struct rlimit more = { FILES_WANTED, FILES_WANTED };

		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			return FILES_WANTED;
	}
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur;
}

static bool
group_of(const char *group, const struct passwd *pw, gid_t *out,
	struct err *err)
{
	const struct group *gr;

	*out = pw->pw_gid;
	if (group == NULL)
		return true;
	gr = getgrnam(group);
	if (gr == NULL)
		return err_set(err, ERR_MISSING, "there is no group \"%s\"",
			group);
	*out = gr->gr_gid;
	return true;
}

bool
privileges_drop(const char *user, const char *group, struct err *err)
{
	const struct passwd *pw;
	gid_t gid;

	if (geteuid() != 0)
		return true;
	if (user == NULL)
		return err_set(err, ERR_REFUSED,
			"started as root, and no user to become is named: set `user` in the configuration");
	pw = getpwnam(user);
	if (pw == NULL)
		return err_set(err, ERR_MISSING, "there is no user \"%s\"",
			user);
	if (pw->pw_uid == 0)
		return err_set(err, ERR_REFUSED, "user \"%s\" is root", user);
	if (!group_of(group, pw, &gid, err) ||
		!log_give(pw->pw_uid, gid, err))
		return false;
	if (initgroups(user, gid) == -1 || setresgid(gid, gid, gid) == -1 ||
		setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) == -1)
		return err_errno(err, "cannot become user \"%s\"", user);
	if (setuid(0) == 0)
		return err_set(err, ERR_REFUSED,
			"root could be regained after becoming \"%s\"", user);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return true;
}
