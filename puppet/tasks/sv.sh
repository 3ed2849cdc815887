#!/bin/sh
# Runs sv as the one whose tree it is.
PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
# Where root is, a user may not be allowed to look, and sv wants to.
cd / || exit 1
: "${PT_action:?}" "${PT_service:?}"
case $PT_action in
start | stop | restart | check | shutdown | exit | status) verbose= ;;
*) verbose=-v ;;
esac
if [ -z "${PT_user:-}" ]; then
  [ -z "${PT_directory:-}" ] || export SVDIR="$PT_directory"
  # shellcheck disable=SC2086 # no option, or one
  exec sv $verbose -w "${PT_wait:-7}" "$PT_action" "$PT_service"
fi
# shellcheck disable=SC2016 # the user's shell expands it
as_user='SVDIR=${PT_directory:-$HOME/service}; export SVDIR; exec sv $PT_verbose -w "${PT_wait:-7}" "$PT_action" "$PT_service"'
PT_verbose=$verbose
export PT_verbose
exec su -s /bin/sh "$PT_user" -c "$as_user"
