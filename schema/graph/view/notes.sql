{{/* What the questions of package graph say beside their answers, of everything: an answer about one place is concerned by
some of it. */}}
{{define "notes.comment"}}What is not known, by code: what an answer that has no note of its own would have to say. coverage, gaps, holes, sidecars, rejections and progress have each case{{end}}
{{define "notes.columns"}}
    code       String        COMMENT 'open, failed, counted, whole, chunks_missing, unknown_movement, unknown_kind, clock, attested, no_recorder, hole, gap, silent, rejected, parked, behind, underived',
    incomplete Bool          COMMENT 'Whether it makes answers incomplete: all but attested and no_recorder do',
    meaning    String        COMMENT 'What it means',
    count      UInt64        COMMENT 'How many movements, messages or sidecars',
    records    UInt64        COMMENT 'Records whose electors are not known; 0 when none, or not known',
    places     Array(String) COMMENT 'Places concerned',
    sidecars   Array(String) COMMENT 'Sidecars concerned, as org/sidecar'
{{end}}
{{define "notes"}}
SELECT code, toBool(code NOT IN ('attested', 'no_recorder')) AS incomplete,
    transform(code,
        ['open', 'failed', 'counted', 'whole', 'chunks_missing', 'unknown_movement', 'unknown_kind', 'clock', 'attested', 'no_recorder', 'hole', 'gap', 'silent', 'rejected', 'parked', 'behind', 'underived'],
        ['still open, or never closed: more electors may have gone than are listed',
         'failed: the electors that had gone by then are counted',
         'of which only a number of records is known: their electors are not counted',
         'of everything that was there, from places that nothing is known to have entered before: their electors are those that are known',
         'closed, with chunks that never came: the electors in them are not counted',
         'of which only chunks are here: their electors are not counted',
         'of a kind that this version does not know: taken to add electors',
         'before or after others by less than the clocks of their sidecars are off: the order may have been another',
         'said to be destroyed by somebody else than the owner: nothing is taken away for it',
         'places that no sidecar covers: what goes on there is known as far as others say',
         'messages that never arrived, and that no gap explains',
         'reported by sidecars: what passed then was not recorded',
         'sidecars that have sent nothing for three heartbeats: what they record may be missing',
         'messages not understood, and left out',
         'messages of a later version, left out until replayed',
         'messages of the log not read yet',
         'messages of the log that nothing is derived from yet: what movements of everything carried, and what destroys left, may change'], '') AS meaning,
    toUInt64(sum(n)) AS count, toUInt64(sum(not_known)) AS records, arraySort(groupUniqArrayArray(where_it_is)) AS places, arraySort(groupUniqArrayArray(who)) AS sidecars
FROM
(
    SELECT code, 1 AS n, if(code = 'counted', c.count, 0) AS not_known, arrayFilter(p -> p != '', arrayPushBack(c.inputs, c.output)) AS where_it_is, []::Array(String) AS who
    FROM ({{template "coverage" .}}) AS c
    UNION ALL
    SELECT 'no_recorder', 1, 0, [place], [] FROM ({{template "places" .}}) WHERE empty(sidecars)
    UNION ALL
    SELECT 'hole', missing, 0, [], [concat(org, '/', sidecar)] FROM ({{template "holes" .}}) WHERE NOT reported
    UNION ALL
    SELECT 'gap', 1, records, arrayFilter(p -> p != '', [place]), [concat(org, '/', sidecar)] FROM ({{template "gaps" .}})
    UNION ALL
    SELECT 'silent', 1, 0, s.places, [concat(org, '/', sidecar)] FROM ({{template "sidecars" .}}) AS s WHERE silent
    UNION ALL
    SELECT if(parked, 'parked', 'rejected'), 1, 0, [], if(org = '', [], [concat(org, '/', sidecar)]) FROM ({{template "rejections" .}}) WHERE NOT settled
    UNION ALL
    SELECT what.1, what.2, 0, [], [] FROM ({{template "progress" .}}) ARRAY JOIN [('behind', behind), ('underived', underived)] AS what WHERE what.2 > 0
)
GROUP BY code
ORDER BY code
{{end}}
