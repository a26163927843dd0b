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
