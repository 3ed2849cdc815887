# A tree's life with every warning an error: sh life.sh PYTHON BIN PLACE. Tells what it saw; the test compares.
set -eu
python=$1 bin=$2
cd "$3"
export RUNIT_PROVISION_STATE="$PWD/state" SVDIR="$PWD/services" SVWAIT=60
mkdir -m 700 state
tool() {
  name=$1
  shift
  "$python" -W error -IS "$bin/$name" "$@"
}
wait_for() {
  i=0
  until "$@" >/dev/null 2>&1; do
    i=$((i + 1))
    [ $i -lt 600 ] || { echo "never: $*"; cat stderr; exit 1; }
    sleep 0.1
  done
}
both_run() { tool sv status it | grep -q '^run: it: .*; run: log: '; }

mkdir -p services/it/log/env log single levels/one levels/two
printf '#!/bin/sh\necho started\nexec %s -W error -IS %s/chpst -o 64 -b sleeper sleep 1000\n' "$python" "$bin" >services/it/run
printf '#!/bin/sh\necho finished $1 $2\n' >services/it/finish
chmod +x services/it/run services/it/finish
ln -s "$bin/rsvlog" services/it/log/run
echo "$PWD/log" >services/it/log/env/RSVLOG_DIR

"$python" -W error -IS "$bin/runsvdir" services 2>>stderr &
runsvdir=$!
wait_for both_run
before=$(cat services/it/supervise/pid)
kill -KILL $runsvdir
wait $runsvdir 2>/dev/null || true
"$python" -W error -IS "$bin/runsvdir" services 2>>stderr &
runsvdir=$!
wait_for both_run
[ "$(cat services/it/supervise/pid)" = "$before" ] && echo "adopted"
# What is new is for a runsvdir to see, so the stand-in has made way for it.
mkdir services/late
printf '#!/bin/sh\nexec sleep 1000\n' >services/late/run
chmod +x services/late/run
wait_for tool sv check late
tool sv restart it | sed 's/(pid [0-9]*) [0-9]*s/(pid N) Ns/g'
tool sv stop it | sed 's/[0-9]*s/Ns/g'
kill -HUP $runsvdir
wait $runsvdir || echo "hup $?"
cut -d ' ' -f 2- <log/current

mkdir -p lone
printf '#!/bin/sh\nexec sleep 1000\n' >lone/run
chmod +x lone/run
"$python" -W error -IS "$bin/runsv" lone 2>>stderr &
runsv=$!
wait_for tool sv check ./lone
tool sv -v exit ./lone
wait $runsv && echo "exit $?"

printf 'one\ntwo\nthree\n' >text
printf 's4\n-two\np> \n!tr a-z A-Z\n' >single/config
tool svlogd -r _ -R x -l 3 -b 1000 single <text 2>>stderr
cat single/@*.s single/current
ln -s one levels/current
RUNSVDIR=$PWD/levels tool runsvchdir two
tool utmpset nowhere 2>&1 || echo "utmpset $?"
tool runit-init 2>&1
tool chpst -n 1 -c 0 -e single sh -c 'nice; ulimit -c'
sed "/^runsvdir: keeper: .* supervise/d" stderr
