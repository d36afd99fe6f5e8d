#!/bin/sh
# Counts again what the demo says, with nothing but cut, sort, comm and wc, from the files in this folder.
# The names are those of `rolltrace demo alberta-list --json`, under "numbers".
set -eu
cd "$(dirname "$0")"
export LC_ALL=C

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ids NAME FILE: the identifiers of a file, sorted, each once. The identifier is the first column.
ids() { tail -n +2 "$2" | cut -d, -f1 | sort -u >"$work/$1"; }
both() { comm -12 "$work/$2" "$work/$3" >"$work/$1"; }
without() { comm -23 "$work/$2" "$work/$3" >"$work/$1"; }
say() { printf '%-24s %d\n' "$1" "$(wc -l <"$work/$2")"; }

ids list elections-office/list.csv     # before anything was put in
ids r party-r/issued.csv
ids s party-s/issued.csv
ids upload group-c/upload.csv
ids app group-c/app.csv
ids v1 group-c/searches-v0001.csv
ids v2 group-c/searches-v0002.csv
tail -n +2 group-c/searches-v0003.csv >"$work/v3"
ids found investigators/found.csv

without seeds-r r list                 # what is on a copy, and not on the list
without seeds-s s list
both r-electors r list
both s-electors s list
both app-electors app list
both upload-electors upload list
both found-electors found list
without found-seeds found list
both found-r found seeds-r
both found-s found seeds-s
both found-on-s found-electors s-electors
sort -u "$work/v1" "$work/v2" >"$work/seen"

say issued_to_party_r r-electors
say issued_to_party_s s-electors
say seeds_for_party_r seeds-r
say seeds_for_party_s seeds-s
say found_identifiers found
say found_electors found-electors
say found_seeds found-seeds
say found_of_party_r found-r
say found_of_party_s found-s
say electors_of_party_s found-on-s
say seeds_of_party_s found-s
say reached_app app-electors
say reached_upload upload-electors
say reached_viewers seen
say seen_by_v0001 v1
say seen_by_v0002 v2
say shown_to_v0003 v3
say seen_by_anybody seen
say left_at_group upload-electors
say destroyed_in_app app-electors
say left_with_viewers seen

# Copies that have some of what was found: files in which an identifier of it is. What was destroyed was there.
n=0
for copy in r s upload app v1 v2; do
  if [ -n "$(comm -12 "$work/found" "$work/$copy" | head -1)" ]; then n=$((n + 1)); fi
done
ids database party-r/database.csv
if [ -n "$(comm -12 "$work/found" "$work/database" | head -1)" ]; then n=$((n + 1)); fi
printf '%-24s %d\n' copies_with_them "$n"
ls group-c/searches-v000*.csv | wc -l | sed 's/^ */accesses                 /'
