# Installs what a script needs and the machine lacks. Sourced by demo.sh and test.sh:
#   need PACKAGE COMMAND...   notes PACKAGE as missing unless COMMAND succeeds
#   need_to_build, need_to_test   the project's own lists
#   install_missing           installs what was noted, with apt-get

missing_packages=()

need() {
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing_packages+=("$package")
}

have_header() { echo "#include <$1>" | "${CXX:-c++}" -std=c++20 -E -x c++ - ; }
have_compiler() { echo 'int main() {}' | "${CXX:-c++}" -std=c++20 -x c++ -fsyntax-only - ; }
have_http_parser() { have_header llhttp.h || have_header http_parser.h; }
# What Debian 12 has in place of llhttp.
http_parser_package() {
  if (. /etc/os-release && [ "${VERSION_ID:-}" = 12 ]); then
    echo libhttp-parser-dev
  else
    echo libllhttp-dev
  fi
}
have_library() { pkg-config --exists "$1"; }
have_version() { [ "$(printf '%s\n%s\n' "$2" "$("$1" --version)" | sort -V | head -n 1)" = "$2" ]; }
have_node() { node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)'; }
have_node_headers() {
  local node
  node=$(readlink -f "$(command -v node)") && test -e "${node%/bin/*}/include/node/node_api.h"
}
have_redis() { command -v redis-server || command -v redis-check-rdb; }
have_java() { java --version | awk 'NR == 1 { new = $2 + 0 >= 17 } END { exit !new }'; }
have_python() { python3 -c 'import sys; sys.exit(sys.version_info < (3, 8))'; }

need_to_build() {
  need g++ have_compiler
  need meson have_version meson 1.0.0
  need ninja-build command -v ninja
  need pkg-config command -v pkg-config
  need python3 have_python
  need libfmt-dev have_library fmt
  need liburing-dev have_library liburing
  need libsimdjson-dev have_library simdjson
  need libyaml-cpp-dev have_library yaml-cpp
  need libcli11-dev have_library CLI11
  need libcurl4-openssl-dev have_library libcurl
  need libhiredis-dev have_library hiredis
  need libssl-dev have_library libcrypto
  need libpugixml-dev have_library pugixml
  need libdeflate-dev have_library libdeflate
  need "$(http_parser_package)" have_http_parser
}

need_to_test() {
  need_to_build
  need catch2 have_library catch2
  need libbenchmark-dev have_library benchmark
  need nodejs have_node
  need abigail-tools command -v abidw
  need libuv1-dev have_library libuv
  need npm command -v npm
  need libnode-dev have_node_headers
  need cargo command -v cargo
  need_clang
  need_servers
}

# The sanitizers' build is one of clang, so that a second compiler sees the code and warns: one from 16
# on that can sanitize, or else Debian's. $clang is the suffix of its commands then, "-16" or none.
can_sanitize() {
  [ "$("clang++$1" -dumpversion | cut -d . -f 1)" -ge 16 ] && have_sanitizer "clang++$1"
}
have_sanitizer() {
  echo 'int main() {}' | "$1" -std=c++20 -fsanitize=address,undefined -x c++ -o /dev/null -
}
need_clang() {
  for clang in "" -{16..21}; do
    if can_sanitize "$clang" >/dev/null 2>&1; then return; fi
  done
  clang=
  # What Debian 12 calls "clang" is 14.
  if (. /etc/os-release && [ "${VERSION_ID:-}" = 12 ]); then clang=-16; fi
  missing_packages+=("clang$clang" "libclang-rt$clang-dev")
}

# What tests/with-servers.py starts or builds its servers with; it installs the rest itself. No
# package among them starts a service: of redis the tools, which hold the server's program.
need_servers() {
  need redis-tools have_redis
  need default-jre-headless have_java
  need maven command -v mvn
  need golang-go command -v go
  need python3-venv python3 -c 'import ensurepip, venv'
  need openssl command -v openssl
  need ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
}

# An apt-get that never asks and says little, as root or by way of sudo.
apt_get() {
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
      echo "$0: to install packages run this as root, or install sudo" >&2
      return 1
    }
    as_root=(sudo)
  fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@"
}

install_missing() {
  [ ${#missing_packages[@]} -gt 0 ] || return 0
  echo "Installing: ${missing_packages[*]}"
  command -v apt-get >/dev/null || {
    echo "$0: these are missing and there is no apt-get here: ${missing_packages[*]}" >&2
    return 1
  }
  local log
  log=$(mktemp)
  if ! { apt_get update &&
    apt_get install --yes --no-install-recommends "${missing_packages[@]}"; } \
    </dev/null >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    echo "$0: could not install: ${missing_packages[*]}" >&2
    return 1
  fi
  rm -f "$log"
  missing_packages=()
}
