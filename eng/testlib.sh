# Functions of ./test: which projects, building them, running one with its time limit, and the look at what a run left behind.
# shellcheck shell=bash
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1 DOTNET_CLI_UI_LANGUAGE=en MSBUILDTERMINALLOGGER=off

passed=0 failed=0 skipped=0
failures=()

say() { printf '%s\n' "test: $*" >&2; }

# Seconds a project may take before it is killed and counted as failed.
limit_of() {
  case $1 in
    Vivarium.Acceptance) echo 900 ;;
    Vivarium.Host.Tests | Vivarium.Runtimes.Tests | Vivarium.Storage.Tests) echo 480 ;;
    *) echo 180 ;;
  esac
}

# Projects that need engines, loop devices or a daemon: left out of --fast. Acceptance keeps its repository rules there.
is_heavy() { case $1 in Vivarium.Runtimes.Tests | Vivarium.Storage.Tests) return 0 ;; *) return 1 ;; esac; }

# Fills projects (and filter, when a NAME is no project).
select_projects() {
  local -a all=() 
  local path project name
  for path in tests/Vivarium.*/*.csproj; do
    project=$(basename "$path" .csproj)
    [ "$project" = Vivarium.TestKit ] || all+=("$project")
  done
  if [ "${#names[@]}" = 0 ]; then
    for project in "${all[@]}"; do
      [ "$lane" = fast ] && is_heavy "$project" && continue
      projects+=("$project")
    done
    return 0
  fi
  for name in "${names[@]}"; do
    local hit=
    for project in "${all[@]}"; do
      case $project in "$name" | "Vivarium.$name" | "Vivarium.$name.Tests") hit=$project ;; esac
    done
    if [ -n "$hit" ]; then projects+=("$hit")
    elif [ -z "$filter" ]; then filter=$name
    else say "give one test name at a time: $filter or $name"; return 1; fi
  done
  [ "${#projects[@]}" -gt 0 ] || projects=("${all[@]}")
}

build_projects() {
  local log=artifacts/test-build.log target=Vivarium.slnx
  mkdir -p artifacts
  [ "${#projects[@]}" = 1 ] && target=tests/${projects[0]}
  exec 9>artifacts/.build.lock
  flock -w 1800 9 || { say "another build has held artifacts/.build.lock for 30 minutes"; return 1; }
  if ! dotnet build "$target" -c Release -nologo -v:minimal -nodeReuse:false -p:RestoreLockedMode=true >"$log" 2>&1 </dev/null 9>&-; then
    grep -E '(error|warning) [A-Za-z]+[0-9]*' "$log" | sort -u | head -n 40 >&2
    say "the build failed; all of it is in $log"
    return 1
  fi
  exec 9>&-
}

# One run has one short directory (socket paths are limited to 108 bytes) and one word that every cgroup of it carries.
open_run() {
  run_word=vt$$
  run_dir=$(mktemp -d "/tmp/$run_word.XXXX") || exit 125
  chmod 711 "$run_dir" # tests act as other users below it
  mkdir -p artifacts/test-results && rm -f artifacts/test-results/*
  export TMPDIR=$run_dir VIVARIUM_TEST_RUN=$run_word VIVARIUM_TEST_CACHE=${VIVARIUM_TEST_CACHE:-/var/cache/vivarium-tests}
  machine_state >"$run_dir/before"
}

# What exists on the machine that a test could have left behind, one thing a line.
machine_state() {
  losetup -n -l -O NAME,BACK-FILE 2>/dev/null | awk '{ print "loop device", $1, $2 }'
  awk '{ print "mount", $5 }' /proc/self/mountinfo
  find /sys/fs/cgroup -type d \( -path "*viv*" -o -path "*/vt[0-9]*" \) 2>/dev/null | sed 's/^/cgroup /'
  ls /run/netns 2>/dev/null | sed 's/^/network namespace /'
  local pid name
  for pid in /proc/[0-9]*; do
    name=$({ tr "\0" " " <"$pid/cmdline" | cut -c1-160; } 2>/dev/null)
    case $name in *viv-supervisor* | *viv-guest* | *vivd* | runsc* | */runsc* | runc* ) echo "process ${pid#/proc/} $name" ;; esac
  done
}

# Runs one test program; counts its summary; a program that ends without one counts as one failure.
run_project() {
  local project=$1 out=artifacts/test-results/$1.log program=artifacts/bin/$1/release/$1 limit code=0 line
  local -a arguments=(-noColor -noLogo -xml "artifacts/test-results/$project.xml")
  limit=$(limit_of "$project")
  [ -z "$filter" ] || arguments+=(-method "*$filter*")
  [ "$lane" = fast ] && [ "$project" = Vivarium.Acceptance ] && arguments+=(-namespace Vivarium.Acceptance.Repository)
  local began=$SECONDS
  timeout --kill-after=15 "$limit" "$program" "${arguments[@]}" >"$out" 2>&1 </dev/null || code=$?
  line=$(grep -E '^ *[A-Za-z.]+ +Total: ' "$out" | tail -n 1)
  if [ -z "$line" ]; then
    case $code in 124 | 137) say "$project: stopped after its limit of $limit s" ;; *) say "$project: ended with code $code and no summary" ;; esac
    tail -n 40 "$out"
    failures+=("$project (did not finish)"); failed=$((failed + 1))
    return
  fi
  local total errors bad skip
  total=$(field Total "$line") errors=$(field Errors "$line") bad=$(field Failed "$line") skip=$(field Skipped "$line")
  if [ "$total" = 0 ]; then
    [ -n "$filter" ] && return
    say "$project: has no test"
    failures+=("$project (no test in it)"); failed=$((failed + 1))
    return
  fi
  say "$project: $((total - bad - skip)) passed, $((bad + errors)) failed, $skip skipped, $((SECONDS - began)) s"
  passed=$((passed + total - bad - skip)) failed=$((failed + bad + errors)) skipped=$((skipped + skip))
  if [ "$((bad + errors))" != 0 ]; then
    sed -n '/\[FAIL\]\|\[ERROR\]\|Cleanup Failure/,/^    [A-Za-z]\|^  Finished:\|^===/p' "$out"
    while IFS= read -r line; do failures+=("$line"); done < <(sed -n 's/^ *\(.*\) \[FAIL\]$/\1/p' "$out")
  elif [ "$code" != 0 ]; then
    say "$project: its tests passed but it ended with code $code"
    failures+=("$project (exit code $code)"); failed=$((failed + 1))
  fi
}

# One number of the summary line; the runner leaves out what is zero in an empty run.
field() { local value; value=$(sed -n "s/.*$1: \([0-9]*\).*/\1/p" <<<"$2"); echo "${value:-0}"; }

# What is new since open_run and belongs to this run. On a machine of CI's nobody else makes anything, so everything new counts.
leftovers() {
  machine_state | grep -vxFf "$run_dir/before" | if [ "${CI:-}" = true ]; then cat; else grep -F -e "$run_dir" -e "$run_word" || true; fi
}

leak_check() {
  local found
  # Sandboxes end asynchronously; give the last ones a moment.
  for _ in $(seq 20); do found=$(leftovers); [ -z "$found" ] && break; sleep 0.25; done
  if [ -z "$found" ]; then passed=$((passed + 1)); return; fi
  say "left behind by this run:"
  printf '%s\n' "$found"
  failures+=("leak check of the whole run"); failed=$((failed + 1))
}

# Takes away whatever the run left, newest mounts first.
close_run() {
  local kind rest pid
  [ -n "${run_dir:-}" ] || return 0
  while read -r kind pid rest; do [ "$kind" = process ] && kill -9 "$pid" 2>/dev/null; done < <(leftovers)
  awk -v d="$run_dir" 'index($5, d) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r rest; do umount -l "$rest" 2>/dev/null; done
  losetup -n -l -O NAME,BACK-FILE 2>/dev/null | awk -v d="$run_dir" 'index($2, d) == 1 { print $1 }' | while read -r rest; do losetup -d "$rest" 2>/dev/null; done
  find /sys/fs/cgroup -depth -type d -path "*$run_word*" -exec rmdir {} + 2>/dev/null
  [ "${KEEP:-}" = 1 ] || rm -rf "$run_dir"
  run_dir=
}

report() {
  local name
  if [ "${#failures[@]}" != 0 ]; then
    printf '\nFailed:\n'
    for name in "${failures[@]}"; do printf '  %s\n' "$name"; done
  fi
  say "took $1 s; logs and results are in artifacts/test-results"
  if [ "$((passed + failed))" = 0 ]; then say "no test matched"; failed=1; fi
  if [ "$skipped" = 0 ]; then printf '%d passed, %d failed\n' "$passed" "$failed"
  else printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"; fi
}
