#!/usr/bin/env bash
# The fast checks, some seconds: format, include table, bans, sizes, shell syntax. Run it before a commit.
#   scripts/gate.sh                  checks
#   scripts/gate.sh --fix [FILE...]  formats these files first, or all
set -euo pipefail
caller=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { printf 'gate: %s\n' "$*" >&2; exit 1; }
usage() { fail "usage: scripts/gate.sh [--fix [FILE...]]"; }
fix=no
if [ $# -gt 0 ]; then
  [ "$1" = --fix ] || usage
  fix=yes
  shift
fi

# Tracked files and new ones, so that a check before a commit sees what will be committed. A checkout that belongs
# to another user, or none at all (a tarball), falls back to find.
list() {
  if git -c safe.directory='*' rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git -c safe.directory='*' ls-files -z --cached --others --exclude-standard -- "$@"
  else
    local pattern names=()
    for pattern in "$@"; do names+=(-o -path "./$pattern"); done
    find . -path ./build -prune -o -type f \( "${names[@]:1}" \) -print0
  fi
}
existing() { while IFS= read -r -d '' file; do [ -f "$file" ] && printf '%s\0' "$file"; done; true; }

mapfile -d '' sources < <(list '*.cpp' '*.hpp' | existing)
mapfile -d '' shells < <(list '*.sh' .ci/run | existing)
python=/usr/bin/python3
[ -x "$python" ] || python=python3

failed=()
if [ ${#sources[@]} -gt 0 ]; then
  if [ "$fix" = yes ]; then
    if [ $# -gt 0 ]; then (cd "$caller" && clang-format -i -- "$@"); else clang-format -i -- "${sources[@]}"; fi
  fi
  # Of each file the first place is enough.
  if ! said=$(printf '%s\0' "${sources[@]}" | xargs -0 clang-format --dry-run -Werror -- 2>&1); then
    awk -F: '/: error: / { if (!seen[$1]++) print $1 ":" $2 ": not formatted"; next }
             /^clang-format/ { print }' <<<"$said"
    failed+=("format (mend with: scripts/gate.sh --fix)")
  fi
fi
"$python" -B scripts/check_includes.py || failed+=("includes, bans and sizes")
for script in "${shells[@]}"; do
  bash -n "$script" || failed+=("syntax of $script")
done
if command -v shellcheck >/dev/null; then
  shellcheck -x "${shells[@]}" || failed+=("shellcheck")
fi

if [ ${#failed[@]} -gt 0 ]; then
  printf 'gate: failed: %s\n' "${failed[@]}" >&2
  exit 1
fi
