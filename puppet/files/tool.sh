#!/bin/sh
# Installs the wheels in DIRECTORY/wheels into a virtual environment of their own, to which DIRECTORY/current leads as soon as what is
# in it works. Then the one before goes; wheels that do not do leave it as it is.
# usage: tool.sh is-there|install DIRECTORY PYTHON
set -eu
verb=$1 directory=$2 python=$3
cd "$directory/wheels"
place=$directory/$(sha256sum ./* | sha256sum | cut -c 1-16)

if [ "$verb" = is-there ]; then
  [ "$(readlink "$directory/current")" = "$place" ] || exit 1
  exec "$place/bin/runit-provision" --version
fi

"$python" -c 'import sys
found = "runit-provision needs Python 3.11 or later; %s is Python %d.%d" % (sys.argv[1], *sys.version_info[:2])
sys.exit(found if sys.version_info < (3, 11) else 0)' "$python"
"$python" -m venv --clear "$place"
"$place/bin/python" -m pip --isolated --disable-pip-version-check install --quiet --no-cache-dir --no-index --find-links . runit-provision
"$place/bin/runit-provision" --version
ln -s "$place" "$directory/.current"
mv -T "$directory/.current" "$directory/current"
find "$directory" -mindepth 1 -maxdepth 1 -type d ! -name wheels ! -path "$place" -exec rm -rf {} +
