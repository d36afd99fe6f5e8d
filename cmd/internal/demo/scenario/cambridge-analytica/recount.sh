#!/bin/sh
# Counts again what the demo says, with nothing but cut, sort, comm and wc, from the files in this folder.
# The names are those of `rolltrace demo cambridge-analytica --json`, under "numbers".
set -eu
cd "$(dirname "$0")"
export LC_ALL=C

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ids NAME FILE…: the identifiers of some files, sorted, each once. The identifier is the first column of each.
ids() { name=$1; shift; for file; do tail -n +2 "$file" | cut -d, -f1; done | sort -u >"$work/$name"; }
say() { printf '%-24s %d\n' "$1" "$(wc -l <"$work/$2")"; }

ids app-users-abroad platform/app-users.csv
ids app-users-canada platform/app-users-canada.csv
ids taken            platform/app-users.csv platform/app-users-canada.csv platform/friends.csv platform/friends-canada.csv

say app_users_abroad  app-users-abroad
say app_users_canada  app-users-canada
say profiles_taken    taken
