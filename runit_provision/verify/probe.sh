# Tells what service directories say of themselves: probe.sh LINES [DIRECTORY LOG-DIRECTORY]...
# Needs a POSIX shell and the usual small tools. Writes nothing, waits for nobody. Bytes of files are printed in hexadecimal.
# LINES of 0 leaves the log and the tally of ends unread. An empty LOG-DIRECTORY is searched for.
LC_ALL=C
export LC_ALL
lines=$1
shift

bytes() { od -An -v -tx1 "$@" 2>/dev/null; }

process() { # NAME DIRECTORY
  if [ -d "$2/supervise" ] && ! [ -x "$2/supervise" ]; then
    echo "$1 denied"
  elif ! [ -p "$2/supervise/ok" ]; then
    echo "$1 no"
  elif ! [ -w "$2/supervise/ok" ]; then
    echo "$1 denied"
  elif ! has_reader "$2/supervise/ok"; then
    echo "$1 no"
  else
    # shellcheck disable=SC2046 # the many blanks of od become one
    echo "$1 yes" $(read_piece "$2/supervise/status" | bytes -N20)
  fi
}

# The shipped rsvlog is told where to write, or has a default; svlogd holds the file that it writes open.
log_directory() { # DIRECTORY
  case $(readlink "$1/log/run") in
  rsvlog | nsvlog | */rsvlog | */nsvlog)
    configured=$(first_line "$1/log/env/RSVLOG_DIR")
    name=$(cd -P "$1" && pwd -P)
    name=${name##*/}
    case $configured in
    /*) echo "$configured" ;;
    ?*) echo "$1/log/$configured" ;;
    *) if [ "$(id -u)" = 0 ]; then echo "/var/log/runit/$name"; else echo "$HOME/logs/$name"; fi ;;
    esac
    return
    ;;
  esac
  pid=$(first_line "$1/log/supervise/pid")
  for descriptor in /proc/"${pid:-none}"/fd/*; do
    opened=$(readlink "$descriptor")
    case $opened in
    */current)
      echo "${opened%/current}"
      return
      ;;
    esac
  done
  [ ! -f "$1/log/main/current" ] || echo "$1/log/main"
}

last_piece() { # DIRECTORY/FILE
  size=$(stat -c %s "$1") || return
  before=$((size / 4096 - 15))
  read_piece "$1" $((before > 0 ? before : 0))
}

last_lines() { # LOG-DIRECTORY
  [ -n "$1" ] && cd -P -- "$1" && [ -f current ] || return
  old=
  for rotated in @*.[su]; do
    [ ! -f "$rotated" ] || old=$rotated
  done
  {
    [ -z "$old" ] || last_piece "./$old"
    last_piece ./current
  } | tail -n "$lines" | tail -c 65536 | bytes
}

echo "now $(date +%s)"
while [ $# -gt 1 ]; do
  echo service
  if [ -e "$1/run" ] || [ -h "$1/run" ]; then echo exists; fi
  [ -e "$1/down" ] || echo enabled
  [ ! -e "$1/gave_up" ] || echo gave_up
  [ ! -e "$1/failed" ] || echo failed
  process main "$1"
  # shellcheck disable=SC2046 # the many blanks of od become one
  [ ! -f "$1/supervise/detail" ] || echo detail $(read_piece "$1/supervise/detail" | bytes -N4096)
  # On a full disk it is a link to what it would hold.
  # shellcheck disable=SC2046
  [ ! -h "$1/supervise/detail" ] || echo detail $(readlink "$1/supervise/detail" | bytes -N4096)
  if [ "$lines" -gt 0 ] && [ -f "$1/supervise/deaths" ]; then
    # shellcheck disable=SC2046 # the many blanks of od become one
    echo ends $(read_piece "$1/supervise/deaths" | tail -c 4096 | bytes)
  fi
  if [ -d "$1/log" ]; then
    process log "$1/log"
    if [ "$lines" -gt 0 ]; then
      directory=${2:-$(log_directory "$1")}
      # shellcheck disable=SC2046
      echo lines $(last_lines "$directory")
      # Not every date(1) knows a file's time.
      at=$(date -r "$directory/current" +%s 2>/dev/null) && echo logged "$at"
    fi
  fi
  shift 2
done
