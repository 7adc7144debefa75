#!/usr/bin/env bash
# packages.sh GROUP…: makes sure the Debian packages of the groups (build, run, test) are on this machine.
# Costs one dpkg-query when all are there; says what it installs and why; never changes the machine's package sources.
set -euo pipefail

# group|package|reason. docs/DEPENDENCIES.md has the same rows with licences; a test compares the two.
readonly PACKAGES='
build|gcc|compiles the spawn shim and links the native programs
build|libc6-dev|C headers and the static C library of the guest agent
build|zlib1g-dev|the native compiler links against zlib
run|crun|OCI engine behind the container runtime: starts one with a third of the CPU time of runc
run|runc|OCI engine behind the container runtime where crun does not work
run|runsc|gVisor engine behind the gvisor runtime
run|nftables|rules of the networks of sandboxes
run|btrfs-progs|makes the btrfs pool sandboxes are cloned in
run|mmdebstrap|builds the base template from Debian packages
run|busybox-static|content of the tiny template
run|debian-archive-keyring|proves the packages the base template is made from
run|ca-certificates|certificates of package mirrors over TLS
test|bubblewrap|peer in the benchmarks
test|hyperfine|times whole commands in the benchmarks
test|iproute2|networks that tests put sandboxes into
test|curl|types in the examples of docs/session-service.md
test|git|repositories that tests clone in sandboxes
test|nodejs|runs @connectrpc/connect-node against the session service
test|npm|installs that client, pinned by a lock file
test|umoci|peer of the template import: unpacks the same image, the trees are compared
test|skopeo|converts images between formats in the tests of template import and export
test|libpython3.11-testsuite|the standard library tests run inside sandboxes
'

say() { printf '%s\n' "packages: $*" >&2; }
die() { say "$*"; exit 125; }

is_installed() { [ "$(dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null | cut -c1-2)" = ii ]; }

# Prints the missing "package|reason" rows of the groups given.
missing_of() {
  local have group package reason
  have=$(dpkg-query -W -f='${db:Status-Abbrev}|${Package}\n' 2>/dev/null | sed -n 's/^ii *|//p')
  while IFS='|' read -r group package reason; do
    [ -n "$group" ] || continue
    case " $* " in *" $group "*) ;; *) continue ;; esac
    # Other packagings of Node.js bring npm with them, and Debian's conflicts with those.
    [ "$package" = npm ] && command -v npm >/dev/null && continue
    grep -qxF "$package" <<<"$have" || printf '%s|%s\n' "$package" "$reason"
  done <<<"$PACKAGES"
}

apt() { DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 "$@" </dev/null; }

install_missing() {
  local rows names
  rows=$(missing_of "$@")
  [ -n "$rows" ] || return 0
  command -v apt-get >/dev/null || die "these packages are missing and this is no Debian system: $(cut -d'|' -f1 <<<"$rows" | tr '\n' ' ')"
  while IFS='|' read -r package reason; do say "$package is missing: $reason"; done <<<"$rows"
  mapfile -t names < <(cut -d'|' -f1 <<<"$rows")
  [ "$(id -u)" = 0 ] || die "installing needs root; as root run: apt-get install --no-install-recommends ${names[*]}"
  say "installing ${#names[@]} package(s)"
  local log; log=$(mktemp)
  # The lists on the machine may be empty or old: try as it is, refresh them only when that fails.
  if ! apt install -y --no-install-recommends "${names[@]}" >"$log" 2>&1; then
    say "refreshing the package lists"
    apt update >"$log" 2>&1 || { cat "$log" >&2; die "apt-get update failed; check the machine's package sources and its network"; }
    apt install -y --no-install-recommends "${names[@]}" >"$log" 2>&1 || { cat "$log" >&2; die "apt-get could not install: ${names[*]}"; }
  fi
  rm -f "$log"
  local name
  for name in "${names[@]}"; do is_installed "$name" || die "$name is still not installed after apt-get said so"; done
}

# The newer gVisor of the distribution's backports (systrap platform, faster exec), unpacked aside: the machine's own
# sources and packages stay as they are. Its place is <engines>/runsc-<version>/usr/bin/runsc.
fetch_backports_runsc() {
  local engines=${VIVARIUM_ENGINES:-/var/lib/vivarium/engines} mirror suite keyring tmp version deb existing
  for existing in "$engines"/runsc-*/usr/bin/runsc; do [ -x "$existing" ] && return 0; done
  [ "$(id -u)" = 0 ] || { say "the newer gVisor was not fetched: it needs root"; return 1; }
  suite=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
  [ "$suite" = bookworm ] || { say "the newer gVisor was not fetched: known only for Debian bookworm, this is ${suite:-something else}"; return 1; }
  mirror=$(apt-get indextargets --format '$(REPO_URI)|$(CODENAME)|$(COMPONENT)|$(SIGNED_BY)' 'Identifier: Packages' 2>/dev/null \
    | awk -F'|' -v s="$suite" '$2 == s && $3 == "main" { print $1; exit }')
  [ -n "$mirror" ] || { say "the newer gVisor was not fetched: no Debian mirror for $suite in the machine's sources"; return 1; }
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  say "fetching gVisor from $suite-backports (its systrap platform is several times faster than the stable package)"
  tmp=$(mktemp -d); chmod 755 "$tmp"
  mkdir -p "$tmp/lists/partial" "$tmp/cache/archives/partial"
  printf 'deb [signed-by=%s] %s %s-backports main\n' "$keyring" "$mirror" "$suite" >"$tmp/sources.list"
  local -a aside=(-o "Dir::Etc::sourcelist=$tmp/sources.list" -o "Dir::Etc::sourceparts=-" -o "Dir::State::lists=$tmp/lists"
    -o "Dir::Cache=$tmp/cache" -o "APT::Sandbox::User=root" -o "Acquire::Languages=none")
  if ! apt "${aside[@]}" update >"$tmp/log" 2>&1 || ! (cd "$tmp" && apt "${aside[@]}" download "runsc/$suite-backports" >>log 2>&1); then
    tail -n 5 "$tmp/log" >&2; rm -rf "$tmp"
    say "the newer gVisor could not be fetched"
    return 1
  fi
  deb=$(find "$tmp" -maxdepth 1 -name 'runsc_*.deb' -print -quit)
  version=$(dpkg-deb -f "$deb" Version | sed 's/^[0-9.]*~//; s/[^A-Za-z0-9.].*$//')
  mkdir -p "$engines"
  dpkg -x "$deb" "$tmp/unpacked"
  # A rename publishes it whole; a concurrent fetch that was first wins.
  local staged="$engines/.runsc-$version.$$"
  cp -a "$tmp/unpacked" "$staged" && mv -T "$staged" "$engines/runsc-$version" 2>/dev/null || rm -rf "$staged"
  rm -rf "$tmp"
  [ -x "$engines/runsc-$version/usr/bin/runsc" ] || { say "the gVisor package had no runsc in it"; return 1; }
  say "gVisor $version is in $engines/runsc-$version"
}

main() {
  local -a groups=()
  local newer_runsc=no group
  for group in "$@"; do
    case $group in
      build|run|test) groups+=("$group") ;;
      newer-runsc) newer_runsc=wanted ;;
      newer-runsc=required) newer_runsc=required ;;
      list) sed '/^$/d' <<<"$PACKAGES"; return 0 ;;
      *) die "unknown group $group (build, run, test, newer-runsc, list)" ;;
    esac
  done
  local lock=${TMPDIR:-/tmp}/vivarium-packages.$(id -u).lock
  exec 9>"$lock"; flock -w 900 9 || die "another installation has held $lock for 15 minutes"
  [ "${#groups[@]}" = 0 ] || install_missing "${groups[@]}"
  if [ "$newer_runsc" != no ] && ! fetch_backports_runsc; then
    [ "$newer_runsc" = wanted ] || die "the tests need the newer gVisor"
  fi
}

main "$@"
