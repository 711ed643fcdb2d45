#!/bin/bash
# Fills subprojects/packagecache from the distribution's own source packages, so that the wraps
# build without any other network: for a machine that reaches its Debian mirror and nothing else.
#
# Usage: subprojects/fill-packagecache.sh [RELEASE...]   (default: this machine's release)
# Looks in each named Debian release for the source package of every wrap and keeps its tarball if
# it is, byte for byte, the one that the wrap names. Packages that the distribution packed anew
# cannot serve; they are listed. Exit code 1 if nothing could be filled.
set -euo pipefail
cd "$(dirname "$0")"

# shellcheck source=/dev/null
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
releases=("${@:-$codename}")
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
  awk -v release="$codename" '$2 == release {print $1; exit}')
if [ -z "$mirror" ]; then
  echo "fill-packagecache: apt knows no mirror for $codename: see /etc/apt/sources.list" >&2
  exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" packagecache
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
for release in "${releases[@]}"; do
  echo "deb-src [signed-by=$keyring] $mirror $release main" >> "$work/sources.list"
done
# A configuration of its own: the machine's apt neither needs nor gets source entries.
apt_get() {
  apt-get -qq -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- \
    -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root "$@"
}
apt_get update

# What the wraps' packages are called in the distribution, where it differs.
declare -A source_package=([fmt]=fmtlib [google-benchmark]=benchmark)
field() { sed -n "s/^$2 = //p" "$1"; }

filled=0
for wrap in *.wrap; do
  name=${wrap%.wrap}
  package=${source_package[$name]:-$name}
  file=packagecache/$(field "$wrap" source_filename)
  hash=$(field "$wrap" source_hash)
  found=no
  for release in "${releases[@]}"; do
    # Asking for the checksum first costs no download of what cannot serve.
    apt_get source --print-uris "$package/$release" 2>/dev/null | grep -q "SHA256:$hash" || continue
    (cd "$work" && apt_get source --download-only --tar-only "$package/$release" >/dev/null 2>&1) ||
      continue
    for tarball in "$work/${package}"_*.orig.tar.*; do
      if echo "$hash  $tarball" | sha256sum --check --status 2>/dev/null; then
        cp "$tarball" "$file"
        echo "$name: $file, from the source package $package of $release"
        found=yes filled=$((filled + 1))
        break 2
      fi
    done
  done
  [ "$found" = yes ] || echo "$name: no such tarball in ${releases[*]}"
done
[ "$filled" -gt 0 ]
