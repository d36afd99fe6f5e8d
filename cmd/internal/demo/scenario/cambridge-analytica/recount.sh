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
union() { name=$1; shift; (cd "$work" && sort -u "$@") >"$work/$name"; }
both() { comm -12 "$work/$2" "$work/$3" >"$work/$1"; }
say() { printf '%-26s %d\n' "$1" "$(wc -l <"$work/$2")"; }

# What each of them handed in.
ids users-abroad  platform/app-users.csv
ids users-canada  platform/app-users-canada.csv
ids canada        platform/app-users-canada.csv platform/friends-canada.csv
ids taken         platform/app-users.csv platform/app-users-canada.csv platform/friends.csv platform/friends-canada.csv
ids scores        app-developer/scores.csv
ids vendor-upload vendor-bc/upload-of-analytics-firm.csv
ids audience      campaign-us/audience-2016.csv
ids similar       campaign-us/similar-2016.csv
ids list          party-w/list-of-electors.csv
ids canvass       party-w/canvass.csv
ids emails        campaign-uk/bought-emails.csv
: >"$work/nobody"

# What follows from the declarations of "everything that was there".
union incoming taken scores            # at the firm: everything that the app took (10 July 2014), and the scores (15 July)
union database incoming                # loaded on 1 September 2014
union mirror database                  # copied on 1 November 2014
union crm list canvass                 # the party's database on 1 May 2016
both  canada-at-firm canada incoming
both  canada-at-group canada mirror
both  canada-at-vendor canada vendor-upload
both  copies-at-group incoming mirror  # of those deleted at the firm on 18 December 2015, still elsewhere
both  copies-at-vendor incoming vendor-upload
both  used-after incoming audience     # … and taken from there all the same
both  similar-of-database database similar
both  list-at-vendor crm list
both  canvass-at-vendor crm canvass
both  crm-at-firm crm incoming
union advertised vendor-upload emails
both  crm-at-network crm advertised

say app_users_abroad          users-abroad
say app_users_canada          users-canada
say profiles_taken            taken
say scores_given              scores
say firm_received             incoming
say canadians_taken           canada
say canadians_at_firm         canada-at-firm
say canadians_at_group        canada-at-group
say canadians_at_vendor       canada-at-vendor
say held_the_day_before       incoming
say held_the_day_after        nobody
say held_in_database          database
say out_of_database_after     similar-of-database
say copies_at_group           copies-at-group
say copies_at_vendor          copies-at-vendor
say used_after                used-after
say open_profiles             vendor-upload
say open_electors             crm
say open_emails               emails
say with_personality_score    vendor-upload
say with_support_score        canvass-at-vendor
say with_address              list-at-vendor
say party_electors_at_vendor  crm
say party_electors_open       crm
say party_electors_at_firm    crm-at-firm
say party_electors_at_network crm-at-network
say advertised_profiles       vendor-upload
say advertised_emails         emails
say bought                    emails
