# Asks services that run whether they are of use: checks.sh [DIRECTORY WHO PATH]... Runs the check of each, all at the same time, and
# prints a line for each, in the order in which they end: its number, and the exit status, 137 when 10 s were not enough. Needs timeout(1).
# As for sv check, a check that is not there, or cannot be run, has nothing against its service.
# WHO: whom root becomes for it, as `chpst -u` takes it; "" for nobody. PATH: what the data say. Without that nobody has told of the
# service, and both are its process's. A process chooses its own environment: no other account's check goes by it.
# A check that others than root can write, or put there, root does not run without WHO (126): they choose the process too.
me=$(id -u)
timeout=$(command -v timeout) # whatever PATH a check has

# Whom the process in whose directory this is belongs to, if to one account alone; a set-user-ID program has its caller's environment.
whose() {
  [ ! -u exe ] && [ ! -g exe ] || return
  sed -n 's/^Uid:[[:space:]]*\([0-9]*\)[[:space:]]*\1[[:space:]]*\1[[:space:]]*\1$/\1/p' status
}

# Prints `:UID:GID...` and PATH. From within its directory: of a later process with the same id nothing is read.
process() { # PID
  cd "/proc/$1" 2>/dev/null || return
  uid=$(whose)
  groups=$(sed -n 's/^Gid:[[:space:]]*\([0-9]*\).*/\1/p; s/^Groups://p' status | tr -s '[:space:]' ':')
  found=$(tr '\0' '\n' <environ | sed -n 's/^PATH=//p')
  # It may have become another one meanwhile.
  [ -n "$uid" ] && [ "$(whose)" = "$uid" ] && printf '%s\n' ":$uid:${groups%:}" "$found"
}

# Without the terminal that this was called from, into which another account could type; and whatever that does to its own timeout.
# Without root's environment before it becomes another account, not after: /proc shows that account what it is executed with.
apart() {
  set -- env -i PATH="$PATH" "$@"
  if command -v setsid >/dev/null; then set -- setsid "$@"; fi
  "$timeout" -s KILL 12 "$@"
}

account() { # NAME-OR-UID
  getent passwd "$1" || grep -e "^$1:" -e "^[^:]*:[^:]*:$1:" /etc/passwd
}

# With the variables that sv check gives another account's; without a name there are none.
become() { # WHO PATH=... COMMAND...
  who=$1 name=${1#:}
  shift
  case $name in *:*) groups=${name#*:} ;; *) groups=$(id -g "$name") || return 126 ;; esac
  name=${name%%:*}
  list=$(printf %s "$groups" | tr : ,)
  IFS=: read -r user _ _ _ _ home shell <<EOF
$(account "$name")
EOF
  if [ -n "$user" ]; then set -- HOME="$home" USER="$user" LOGNAME="$user" SHELL="$shell" "$@"; fi
  set -- env -i "$@"
  if apart setpriv --reuid "$name" --regid "${groups%%:*}" --groups "$list" true; then
    apart setpriv --reuid "$name" --regid "${groups%%:*}" --groups "$list" "$@"
  elif apart chpst -u "$who" true; then
    apart chpst -u "$who" "$@"
  else # with all groups of the account
    # shellcheck disable=SC2016
    name=$(id -nu "$name") && apart su -s /bin/sh -c 'exec "$@"' -- "$name" sh "$@"
  fi
}

# The directory, the check, and the folder that a link leads to: each root's, and no other's to write.
roots_alone() {
  real=$(readlink -f check)
  stat -L -c '%u %a' . check "${real%/*}/" 2>/dev/null | (
    alone=0
    while read -r uid mode; do
      case "$uid $mode" in "0 "*[2367]? | "0 "*[2367]) exit 1 ;; "0 "*) alone=$((alone + 1)) ;; *) exit 1 ;; esac
    done
    [ "$alone" -eq 3 ]
  )
}

check() { # DIRECTORY WHO PATH
  cd -- "$1" && [ -x check ] || return 0
  who=$2 path=$3 said=
  [ "$me" != 0 ] || [ -n "$who" ] || roots_alone || return 126
  if [ "$me" != 0 ] || [ -z "$path" ]; then
    pid=$(first_line supervise/pid)
    case $pid in '' | *[!0-9]*) ;; *) said=$(process "$pid") ;; esac
    case $me$said in
    "$me:$me:"*) path=${said#*"
"} ;;
    0:*)
      who=${said%%"
"*}
      path=${said#*"
"}
      ;;
    esac
  fi
  path=${path:-$PATH}
  if [ "$me" != 0 ] || [ -z "$who" ]; then
    PATH=$path "$timeout" -s KILL 10 ./check
  else
    become "$who" PATH="$path" "$timeout" -s KILL 10 ./check
  fi
}

number=0
while [ $# -gt 2 ]; do
  {
    check "$1" "$2" "$3" </dev/null >/dev/null 2>&1
    echo "$number $?"
  } &
  number=$((number + 1))
  shift 3
done
wait
echo asked
