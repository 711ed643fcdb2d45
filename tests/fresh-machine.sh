#!/bin/bash
# Proves the README on a machine that has nothing: makes a bare Debian, puts a clone of the current
# commit in it and runs the README's two commands there.
#
# Usage: tests/fresh-machine.sh 12|13 [--worktree] [--renew] [COMMAND...]
#   --worktree   the files as they are now instead of the current commit
#   --renew      make the base system anew instead of taking the one kept from the last time
#   COMMAND...   instead of the README's commands, each a line for bash (`bash` alone: look around)
#
# Needs root and debootstrap. Packages come from where this machine's own apt gets them. The base
# system is kept under ${XDG_CACHE_HOME:-~/.cache}/unum; all else is removed at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "fresh-machine: $*" >&2 && exit 2; }
usage() { sed -n '2,13s/^# \?//p' "$0" && exit 2; }

case "${1:-}" in
  12) codename=bookworm ;;
  13) codename=trixie ;;
  *) usage ;;
esac
release=$1 && shift
worktree=no renew=no
while [[ "${1:-}" == --* ]]; do
  case "$1" in
    --worktree) worktree=yes ;;
    --renew) renew=yes ;;
    *) usage ;;
  esac
  shift
done
commands=("$@")
if [ ${#commands[@]} -eq 0 ]; then
  commands=(./demo.sh ./test.sh)
  for command in "${commands[@]}"; do
    grep -qE "^ *(\\$ )?$command( |\$)" README.md || fail "README.md does not say $command"
  done
fi
[ "$(id -u)" -eq 0 ] || fail "needs root, for debootstrap and chroot"
command -v debootstrap >/dev/null || fail "needs debootstrap"

# shellcheck source=/dev/null
own=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
# Each line: a place and a release of this machine's apt, the own release's name replaced.
places=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
  awk -v own="$own" -v wanted="$codename" \
    'index($2, own) == 1 { sub(own, wanted, $2); if (!seen[$0]++) print }')
mirror=$(awk -v wanted="$codename" '$2 == wanted { print $1; exit }' <<<"$places")
[ -n "$mirror" ] || fail "this machine's apt names no mirror of Debian"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/unum
base=$cache/debian-$release.tar
work=$(mktemp -d /var/tmp/unum-fresh-XXXXXX)
root=$work/root

clean_up() {
  local status=$? process
  # What still runs inside would keep the mounts busy.
  for process in /proc/[0-9]*; do
    if [ "$(readlink "$process/root" 2>/dev/null)" = "$root" ]; then
      kill -KILL "${process#/proc/}" 2>/dev/null || true
    fi
  done
  local point
  for point in "$root/dev/shm" "$root/dev/pts" "$root/proc"; do
    if mountpoint -q "$point"; then umount "$point" || umount --lazy "$point"; fi
  done
  # Never follows a mount that could not be taken away.
  rm -rf --one-file-system "$work"
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

if [ "$renew" = yes ] || [ ! -f "$base" ]; then
  echo "Making a bare Debian $release ($codename) ..."
  mkdir -p "$cache"
  debootstrap --variant=minbase --include=ca-certificates "$codename" "$root" "$mirror" \
    >"$work/debootstrap.log" 2>&1 || { tail -n 20 "$work/debootstrap.log" >&2 && exit 3; }
  chroot "$root" apt-get clean
  tar -C "$root" --numeric-owner -cf "$base.part" . && mv "$base.part" "$base"
else
  mkdir "$root" && tar -C "$root" --numeric-owner -xf "$base"
fi

# The network as this machine has it: names, the way to the mirror and apt's settings for it.
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
[ ! -f /etc/ssl/certs/ca-certificates.crt ] ||
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
# Java makes a list of its own, of the single certificates.
find /usr/local/share/ca-certificates -name '*.crt' \
  -exec cp -L {} "$root/usr/local/share/ca-certificates/" \; 2>/dev/null || true
apt-config dump Acquire >"$root/etc/apt/apt.conf.d/90this-machine"
write_sources() {
  awk '{ print "deb", $1, $2, "main" }' <<<"$1" >"$root/etc/apt/sources.list"
  rm -rf "$root"/etc/apt/sources.list.d/*
}
write_sources "$places"
mount -t proc proc "$root/proc"
mkdir -p "$root/dev/shm" "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"

inside() {
  chroot "$root" /usr/bin/env -i HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}
# A mirror may lack the other release's updates; the release itself is enough.
inside apt-get -qq update >/dev/null 2>&1 || write_sources "$mirror $codename"
inside update-ca-certificates >/dev/null 2>&1
# As on a machine just set up, nothing is known about packages yet.
rm -rf "$root"/var/lib/apt/lists/*

mkdir -p "$root/root/unum"
if [ "$worktree" = yes ]; then
  what="the working tree"
  git ls-files -z --cached --others --exclude-standard |
    tar --null --files-from=- --ignore-failed-read -cf - | tar -C "$root/root/unum" -xf -
else
  what="commit $(git rev-parse --short HEAD)"
  git clone --quiet --no-hardlinks . "$root/root/unum"
fi

echo "Debian $(cat "$root/etc/debian_version") ($codename), $what"
status=0
for command in "${commands[@]}"; do
  printf '\n$ %s\n' "$command"
  started=$SECONDS
  inside bash -c "cd /root/unum && $command" || status=$?
  printf '%s: exit code %d, %d s\n' "$command" "$status" $((SECONDS - started))
  [ "$status" -eq 0 ] || break
done
exit "$status"
