/*
 * main_crash.h - the reports of crashes, as antiphond keeps them.
 */
#ifndef MAIN_CRASH_H
#define MAIN_CRASH_H

struct server;

/*
 * Start-up, as the user that the server will be, and before it has the database:
 * reports go beside that, and what the newest one says is kept for `antiphonctl
 * status'; if it is of the last run, a line of the log says so.
 */
void main_crash_keep(struct server *srv);

#endif
