#!/bin/sh
# Counts again what the demo says, with nothing but cut, sort, comm and wc, from the files in this folder.
# The names are those of `rolltrace demo --json`, under "answers" (and "electors").
set -eu
cd "$(dirname "$0")"
export LC_ALL=C

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ids FILE NAME: the identifiers of a file, sorted. The identifier is the first column of each.
ids() { tail -n +2 "$1" | cut -d, -f1 | sort -u >"$work/$2"; }
say() { printf '%-24s %d\n' "$1" "$(wc -l <"$2")"; }

ids elections-office/list-of-electors.csv list
ids party-a/canvass.csv                   doorsteps
ids party-a/cards-with-address.csv        given
ids party-a/cards-without-address.csv     lacking
ids party-a/addresses-from-hq.csv         pulled
ids party-a/card-list.csv                 cards
ids lantern-print/christmas-cards.csv     printer

# Addresses that were pulled from the party's database, on the card list: from the list of electors, or
# from canvassers at the door, which are the two sources of that database.
comm -12 "$work/pulled" "$work/cards"        >"$work/pulled-cards"
comm -12 "$work/pulled-cards" "$work/list"   >"$work/from-list"
comm -12 "$work/pulled-cards" "$work/doorsteps" >"$work/from-doorsteps"
comm -12 "$work/given" "$work/cards"         >"$work/by-themselves"
comm -23 "$work/lacking" "$work/cards"       >"$work/not-found"

say electors                "$work/list"
say cards                   "$work/cards"
say from_list_of_electors   "$work/from-list"
say from_doorsteps          "$work/from-doorsteps"
say given_by_themselves     "$work/by-themselves"
say not_found               "$work/not-found"
say copies_left             "$work/printer"
