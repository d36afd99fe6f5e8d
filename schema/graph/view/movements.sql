{{define "movements.comment"}}Every movement in its current form, in order: (occurred_at, org, sidecar, id){{end}}
{{define "movements.columns"}}
    occurred_at        DateTime64(6, 'UTC')           COMMENT 'When it began (UTC); decides order, with org, sidecar and id',
    org                String                         COMMENT 'Organisation that published it',
    sidecar            String                         COMMENT 'Sidecar that published it',
    id                 String                         COMMENT 'Id of the movement; (org, sidecar, id) is unique',
    kind               String                         COMMENT 'collect, export, merge, share, access, destroy, or a kind of a later version',
    state              String                         COMMENT 'open or closed',
    outcome            String                         COMMENT 'completed, failed or retracted; empty while open',
    reason             String                         COMMENT 'Why a later revision relabels or retracts it',
    basis              String                         COMMENT 'On whose word: observed, declared or attested; attested too when a destroy was not published by the owner of the place',
    published_basis    String                         COMMENT 'Basis as it was published',
    removes            Bool                           COMMENT 'Whether it takes electors away from its input',
    inputs             Array(String)                  COMMENT 'Places that records came from',
    input_fields       Array(Array(String))           COMMENT 'Field categories taken from each input',
    input_orgs         Array(String)                  COMMENT 'Organisations that own the inputs, each once',
    output             String                         COMMENT 'Place that records went to; empty for a destroy',
    output_org         String                         COMMENT 'Organisation that owns the output; empty for a destroy',
    actor              String                         COMMENT 'Who is claimed to have done it',
    recorded_by_user   String                         COMMENT 'User that the recorder saw',
    recorded_by_host   String                         COMMENT 'Host that the recorder saw',
    purpose            String                         COMMENT 'Purpose given',
    agreement          String                         COMMENT 'Agreement given',
    legal_basis        String                         COMMENT 'Legal basis given',
    fields             Array(String)                  COMMENT 'Field categories that travelled',
    mode               String                         COMMENT 'How its electors are known: listed, whole or counted',
    records            UInt64                         COMMENT 'Rows seen, with or without an identifier',
    keys               UInt64                         COMMENT 'Keys announced over all sets, repeated ones included',
    seeds              UInt64                         COMMENT 'Invented entries put into the copy, over all sets; they are counted nowhere as electors',
    unkeyed            UInt64                         COMMENT 'Rows without an identifier, over all sets; they count as counted',
    evidence_mac       String                         COMMENT 'Keyed hash of the bytes that flowed',
    evidence_bytes     UInt64                         COMMENT 'Bytes that flowed',
    evidence_statement String                         COMMENT 'SQL with its constants removed',
    evidence_document  String                         COMMENT 'Hash of the document behind an attestation',
    closed_at          Nullable(DateTime64(6, 'UTC')) COMMENT 'When it ended; NULL while open',
    recorded_at        DateTime64(6, 'UTC')           COMMENT 'When the current revision was written',
    received_at        DateTime64(6, 'UTC')           COMMENT 'When the hub first heard of it; never decides order',
    revision           UInt32                         COMMENT 'Current revision',
    revisions          UInt64                         COMMENT 'How many revisions are kept'
{{end}}
{{define "movements"}}
SELECT * EXCEPT (movement)
FROM {{.Name "internal_listing"}}
WHERE {{.AsOf "occurred_at"}}
ORDER BY occurred_at, org, sidecar, id
{{end}}
