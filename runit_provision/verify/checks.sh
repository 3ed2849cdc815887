#!/bin/sh
# Asks services that run whether they are of use: checks.sh DIRECTORY... Runs the check of each, all at the same time, and prints a line
# for each, in the order in which they end: its number, and the exit status, 137 when 10 s were not enough. Needs timeout(1).
# As for sv check, a check that is not there, or cannot be run, has nothing against its service.

check() { # DIRECTORY
  cd -- "$1" && [ -x check ] || return 0
  # What it calls it finds where the service does: sv and chpst may live below a prefix.
  read -r pid <supervise/pid
  path=$(tr '\0' '\n' <"/proc/${pid:-none}/environ" | sed -n 's/^PATH=//p')
  PATH=${path:-$PATH} timeout -s KILL 10 ./check
}

number=0
for directory; do
  {
    check "$directory" </dev/null >/dev/null 2>&1
    echo "$number $?"
  } &
  number=$((number + 1))
done
wait
echo asked
