#!/usr/bin/env bash
# build.sh [--force]: publishes viv, viv-supervisor, viv-guest and vivd into artifacts/dist when sources are newer than what is there.
# Several may run at once: one builds, the others wait for it and find it done.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
readonly DIST=artifacts/dist LOG=artifacts/build.log
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1 DOTNET_CLI_UI_LANGUAGE=en MSBUILDTERMINALLOGGER=off

say() { printf '%s\n' "build: $*" >&2; }
die() { say "$*"; exit 125; }

# Directories are compared too, so that a removed file counts as a change.
up_to_date() { [ -e "$DIST/.built" ] && [ -z "$(find src eng Directory.Build.props Directory.Packages.props global.json -newer "$DIST/.built" ! -name '*.sh' -print -quit)" ]; }

# Runs one stage; its output is shown only when it fails. MSBuild's own node reuse would leave processes behind.
stage() {
  local title=$1; shift
  local began=$SECONDS
  say "$title"
  if ! "$@" >"$LOG" 2>&1 </dev/null; then
    grep -E '(error|warning) [A-Z]+[0-9]+' "$LOG" | sort -u | head -n 40 >&2 || true
    tail -n 15 "$LOG" >&2
    die "$title failed after $((SECONDS - began)) s; all of it is in $LOG"
  fi
}

# Without the lock's descriptor: the compiler server that a build leaves behind for the next one would hold the lock.
msbuild() { dotnet msbuild eng/Dist.proj -nologo -v:minimal -nodeReuse:false "$@" 9>&-; }

mkdir -p artifacts
exec 9>artifacts/.build.lock
flock -n 9 || { say "another build is running; waiting for it"; flock -w 1800 9 || die "another build has held artifacts/.build.lock for 30 minutes"; }
[ "${1:-}" != --force ] && up_to_date && exit 0

command -v dotnet >/dev/null || die "the .NET SDK is not on PATH; install the .NET 10 SDK (dotnet-sdk-10.0) and try again"
dotnet --version >/dev/null 2>&1 || die "this .NET SDK is too old for global.json; install the .NET 10 SDK, found: $(cd / && dotnet --version 2>/dev/null || echo none)"

began=$SECONDS
# Taken before the build starts: what is edited meanwhile is newer and builds again.
mkdir -p "$DIST"; touch artifacts/.build-began
stage "restoring packages (1/3)" msbuild -t:Restore -p:RestoreLockedMode=true
stage "compiling viv, viv-supervisor, viv-guest and vivd to native code (2/3; about a minute on two cores)" msbuild -t:Publish -m:2
say "laying out $DIST (3/3)"
# Programs are renamed into place one by one: a running one keeps its old file, and none is ever half written.
for program in Cli/viv Supervisor/viv-supervisor Guest/viv-guest; do
  cp -p artifacts/publish/Vivarium."${program%/*}"/release_linux-x64/"${program#*/}" "$DIST/.new"
  mv -f "$DIST/.new" "$DIST/${program#*/}"
done
# vivd is a directory and a running daemon still loads from it: a link moves to the new one, the last two stay.
home=.vivd-$(date +%s)
rm -rf "${DIST:?}/$home"; cp -a artifacts/publish/Vivarium.Daemon/release_linux-x64 "$DIST/$home"
[ -L "$DIST/vivd" ] || rm -rf "$DIST/vivd"
ln -s "$home" "$DIST/.vivd-link"; mv -fT "$DIST/.vivd-link" "$DIST/vivd"
find "$DIST" -maxdepth 1 -name '.vivd-[0-9]*' | sort | head -n -2 | xargs -r rm -rf
touch -r artifacts/.build-began "$DIST/.built"
say "done in $((SECONDS - began)) s"
