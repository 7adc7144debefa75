#!/usr/bin/env bash
# cli-reference.sh [--write]: the command reference, made from viv's own help. Prints it, or writes docs/cli.md; a test compares the two.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
readonly VIV=artifacts/dist/viv

# Commands of a help text: the indented first words of its lists, up to the flags.
commands_of() { awk '/^(Flags|Examples|Arguments|Start here)/ { exit } /^usage:/ { on = 1 } on && /^  [a-z]/ { print $1 }'; }

section() {
  printf '\n%s viv %s\n\n```text\n' "$1" "$2"
  # shellcheck disable=SC2086
  "$VIV" $2 --help
  printf '```\n'
}

reference() {
  cat <<'HEAD'
# Commands

Made from viv's own help by `eng/cli-reference.sh --write`; do not edit. Habits that hold everywhere: `--json` on every command that prints data, tables on standard
output and messages on standard error, sandboxes by name, id or unambiguous prefix, exit code 125 when viv itself failed, 126 and 127 when a command cannot be run or is not
found, 128+n for a signal, and otherwise the command's own.

```text
HEAD
  "$VIV" --help
  printf '```\n'
  local command sub
  for command in $("$VIV" --help | commands_of); do
    section '##' "$command"
    for sub in $("$VIV" "$command" --help | commands_of); do section '###' "$command $sub"; done
  done
}

export NO_COLOR=1 COLUMNS=120
if [ "${1:-}" = --write ]; then reference >docs/cli.md.new && mv docs/cli.md.new docs/cli.md; else reference; fi
