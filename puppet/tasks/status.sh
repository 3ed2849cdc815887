#!/bin/sh
# Prints one JSON object: the state of each service by its name. Looks as the one whose tree it is; exits 1 for a name that is not there.
PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
# Where root is, a user may not be allowed to look, and sv wants to.
cd / || exit 1
# shellcheck disable=SC2016 # the shell that runs it expands it
look='
cd "$SVDIR" || exit 1
quoted() { printf "%s" "$1" | sed '\''s/\\/\\\\/g; s/"/\\"/g'\''; }
between="{"
if [ -n "${PT_service:-}" ]; then set -- "$PT_service"; else set -- *; fi
for name; do
  case $name in *[[:cntrl:]]*) continue ;; esac # nobody can ask for it by name
  if [ ! -d "$name" ]; then
    [ -z "${PT_service:-}" ] || { echo "no service $name in $SVDIR" >&2; exit 1; }
    continue
  fi
  said=$(sv status "./$name" 2>/dev/null) || :
  pid=$(printf "%s\n" "$said" | sed -n '\''1s/^[^;]*(pid \([0-9]*\)).*/\1/p'\'')
  seconds=$(printf "%s\n" "$said" | sed -n '\''1s/^[^;]* \([0-9]*\)s.*/\1/p'\'')
  case $said in run:*) state=up ;; down:*) state=down ;; finish:*) state=finish ;; *) state=unsupervised ;; esac
  printf "%s\"%s\": {\"state\": \"%s\", \"pid\": %s, \"seconds\": %s}" "$between" "$(quoted "$name")" "$state" "${pid:-null}" "${seconds:-null}"
  between=", "
done
[ "$between" = "{" ] && printf "{"
echo "}"
'
if [ -z "${PT_user:-}" ]; then
  for SVDIR in "${PT_directory:-}" "${SVDIR:-}" /etc/service /var/service /service; do [ -n "$SVDIR" ] && [ -d "$SVDIR" ] && break; done
  export SVDIR
  exec sh -c "$look"
fi
# shellcheck disable=SC2016
exec su -s /bin/sh "$PT_user" -c 'SVDIR=${PT_directory:-$HOME/service}; export SVDIR; '"$look"
