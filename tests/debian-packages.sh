#!/bin/bash
# Builds the Debian packages from a copy of the sources, looks at them with lintian, installs them and
# uses each: the command, a program in C, in C++ and in Python.
#
# Usage: tests/fresh-machine.sh 12|13 tests/debian-packages.sh
# It installs packages on the machine that it runs on, hence that.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
step() { printf '\n== %s\n' "$1"; }

export DEBIAN_FRONTEND=noninteractive
step "Installing what builds packages"
apt-get -qq update
apt-get -qq install --yes --no-install-recommends dpkg-dev debhelper lintian devscripts equivs >"$work/apt.log" 2>&1 ||
  { cat "$work/apt.log" && exit 1; }
mkdir "$work/unum"
tar --exclude='./build*' --exclude=./.git -cf - . | tar -C "$work/unum" -xf -
(cd "$work" && mk-build-deps --install --remove --tool 'apt-get -qq --yes --no-install-recommends' \
  unum/debian/control) >"$work/apt.log" 2>&1 || { cat "$work/apt.log" && exit 1; }

step "Building"
(cd "$work/unum" && dpkg-buildpackage --unsigned-source --unsigned-changes --build=binary) \
  >"$work/build.log" 2>&1 || { tail -n 60 "$work/build.log" && exit 1; }

step "lintian"
lintian --allow-root --fail-on error "$work"/*.changes

step "Installing"
apt-get -qq install --yes --no-install-recommends python3 gcc g++ pkg-config \
  $(ls "$work"/*.deb | grep -v dbgsym) >"$work/apt.log" 2>&1 || { cat "$work/apt.log" && exit 1; }

step "Using them"
expect() {
  local wanted=$1
  shift
  local got
  got=$("$@") || { echo "failed: $*" >&2 && exit 1; }
  [ "$got" = "$wanted" ] || { echo "$*: \"$got\" instead of \"$wanted\"" >&2 && exit 1; }
}
cp -r examples "$work/examples"
cd "$work/examples"
expect "$(tr -d ' \n' <word-count/expected.json)" \
  sh -c 'unum run word-count --input @word-count/input.json --quiet | tr -d " \n"'
unum store create "fs:$work/store"
(cd c-hosts && cc plain.c platform.c functions.c $(pkg-config --cflags --libs unum) -o "$work/plain")
expect 332833500 "$work/plain" fs "$work/store" 1000
c++ -std=c++20 queue/queue.cpp $(pkg-config --cflags --libs unum-cpp) -o "$work/queue"
expect 332833500 "$work/queue" fs "$work/store" 1000
cp "$OLDPWD/bindings/python/examples/fan_in.py" "$work/fan_in.py"
expect "the sum of 1,000 squares is 332,833,500" python3 "$work/fan_in.py"
echo "The packages work."
