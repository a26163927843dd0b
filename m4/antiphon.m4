dnl antiphon.m4 - what configure.ac asks again and again.

dnl ANTIPHON_MISSING(what it is for, Debian package)
dnl Notes that something is missing; ANTIPHON_NOTHING_MISSING tells about all
dnl of it at once.
AC_DEFUN([ANTIPHON_MISSING], [
  antiphon_missing="$antiphon_missing
  $2 ($1)"
  antiphon_packages="$antiphon_packages $2"
])

dnl ANTIPHON_NEED(variable, pkg-config modules and versions, Debian package, use)
AC_DEFUN([ANTIPHON_NEED], [
  PKG_CHECK_MODULES([$1], [$2],
    [DEPS_CFLAGS="$DEPS_CFLAGS $[$1]_CFLAGS"
     DEPS_LIBS="$DEPS_LIBS $[$1]_LIBS"],
    [ANTIPHON_MISSING([$2: $4], [$3])])
])

dnl ANTIPHON_SQLITE_FTS5(Debian package)
dnl The library may be built without; where it cannot be run, as when it is for another
dnl machine, the server looks for it when it starts.
AC_DEFUN([ANTIPHON_SQLITE_FTS5], [
  AC_CACHE_CHECK([whether SQLite has FTS5], [antiphon_cv_sqlite_fts5],
    [antiphon_save_CPPFLAGS=$CPPFLAGS
     antiphon_save_LIBS=$LIBS
     CPPFLAGS="$CPPFLAGS $SQLITE_CFLAGS"
     LIBS="$SQLITE_LIBS $LIBS"
     AC_RUN_IFELSE([AC_LANG_PROGRAM([[#include <sqlite3.h>]],
       [[sqlite3 *db;
         return sqlite3_open(":memory:", &db) != SQLITE_OK ||
           sqlite3_exec(db, "SELECT fts5_source_id()", 0, 0, 0) !=
             SQLITE_OK;]])],
       [antiphon_cv_sqlite_fts5=yes], [antiphon_cv_sqlite_fts5=no],
       [antiphon_cv_sqlite_fts5=unknown])
     CPPFLAGS=$antiphon_save_CPPFLAGS
     LIBS=$antiphon_save_LIBS])
  AS_IF([test -n "$SQLITE_LIBS" && test "$antiphon_cv_sqlite_fts5" = no],
    [ANTIPHON_MISSING([FTS5, built into SQLite (-DSQLITE_ENABLE_FTS5): search],
      [$1])])
])

dnl ANTIPHON_LLHTTP(pkg-config module and version, Debian package of its source)
dnl Where $with_llhttp_source is no folder, a library is taken, or else the source
dnl that Debian has.
AC_DEFUN([ANTIPHON_LLHTTP], [
  AS_CASE([$with_llhttp_source],
    [no | yes],
      [PKG_CHECK_MODULES([LLHTTP], [$1],
        [llhttp_is="library $($PKG_CONFIG --modversion libllhttp)"
         DEPS_CFLAGS="$DEPS_CFLAGS $LLHTTP_CFLAGS"
         DEPS_LIBS="$DEPS_LIBS $LLHTTP_LIBS"],
        [llhttp_is=source
         with_llhttp_source=/usr/share/llhttp])],
    [llhttp_is=source])
  AS_IF([test "$llhttp_is" = source],
    [with_llhttp_source=$(cd "$with_llhttp_source" 2>/dev/null && pwd ||
       echo "$with_llhttp_source")
     AC_MSG_CHECKING([for the source of llhttp in $with_llhttp_source])
     llhttp_include=
     for llhttp_dir in . ../include ../include/llhttp; do
       AS_IF([test -e "$with_llhttp_source/$llhttp_dir/llhttp.h"],
         [llhttp_include="$with_llhttp_source/$llhttp_dir"])
     done
     AS_IF([test -n "$llhttp_include" &&
         test -e "$with_llhttp_source/llhttp.c" &&
         test -e "$with_llhttp_source/api.c" &&
         test -e "$with_llhttp_source/http.c"],
       [AC_MSG_RESULT([yes])
        DEPS_CFLAGS="$DEPS_CFLAGS -isystem $llhttp_include"
        AC_DEFINE_UNQUOTED([LLHTTP_SOURCE_LLHTTP],
          ["$with_llhttp_source/llhttp.c"], [the source of llhttp])
        AC_DEFINE_UNQUOTED([LLHTTP_SOURCE_API],
          ["$with_llhttp_source/api.c"], [the same])
        AC_DEFINE_UNQUOTED([LLHTTP_SOURCE_HTTP],
          ["$with_llhttp_source/http.c"], [the same])],
       [AC_MSG_RESULT([no])
        ANTIPHON_MISSING([llhttp, or its source: HTTP], [$2])])])
])

AC_DEFUN([ANTIPHON_NOTHING_MISSING], [
  AS_IF([test -n "$antiphon_missing"], [AC_MSG_ERROR([these are needed, and were not found:
$antiphon_missing

On Debian: apt-get install$antiphon_packages
Elsewhere their names differ; see "Building" in README.])])
])

dnl ANTIPHON_TRY_CFLAGS(variable, flags): adds the flags if the compiler takes
dnl them without a word.  A flag that does not go with CFLAGS, such as fortify
dnl without optimisation, is a warning, and left out.
AC_DEFUN([ANTIPHON_TRY_CFLAGS], [
  AC_MSG_CHECKING([whether $CC takes $2])
  antiphon_saved=$CFLAGS
  CFLAGS="$CFLAGS -Werror $2"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>]], [[puts("")]])],
    [AC_MSG_RESULT([yes])
     $1="$[$1] $2"],
    [AC_MSG_RESULT([no])])
  CFLAGS=$antiphon_saved
])

dnl ANTIPHON_TRY_LDFLAGS(variable, flags, [flags to compile with])
AC_DEFUN([ANTIPHON_TRY_LDFLAGS], [
  AC_MSG_CHECKING([whether linking takes $2])
  antiphon_saved=$CFLAGS
  antiphon_saved_ld=$LDFLAGS
  CFLAGS="$CFLAGS $3"
  LDFLAGS="$LDFLAGS -Werror $2"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>]], [[puts("")]])],
    [AC_MSG_RESULT([yes])
     $1="$[$1] $2"],
    [AC_MSG_RESULT([no])])
  CFLAGS=$antiphon_saved
  LDFLAGS=$antiphon_saved_ld
])

dnl ANTIPHON_MUST_LINK(flags, what to say otherwise)
AC_DEFUN([ANTIPHON_MUST_LINK], [
  AC_MSG_CHECKING([whether $CC links with $1])
  antiphon_saved=$CFLAGS
  CFLAGS="$CFLAGS $1"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>]], [[puts("")]])],
    [AC_MSG_RESULT([yes])
     CFLAGS=$antiphon_saved],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([$2])])
])
