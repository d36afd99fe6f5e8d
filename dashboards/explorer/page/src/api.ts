// What is asked, and what is answered: docs/json.md. Nothing that identifies an elector is in a URL.

export interface Count { id_space: string; key_id: string; electors: number }
export interface MovementRef { org: string; sidecar: string; id: string }
export interface Note { code: string; text: string; count: number; records?: number; places?: string[]; sidecars?: string[]; movements?: MovementRef[] }
export interface Answer { as_of: string; complete: boolean; notes: Note[] }

export interface Centre { version: string; reader: string; identifiers: boolean; match: boolean; findings: boolean }

export interface OverviewNode { name: string; org: string; title: string; kind: string; jurisdiction: string; places: number; people: number; holding: Count[]; reached: Count[] }
export interface OverviewFlow { from: string; to: string; movements: number; counted: number; electors: Count[]; first_at: string; last_at: string }
export interface Overview extends Answer { moments: string[]; nodes: OverviewNode[]; flows: OverviewFlow[] }

export interface PlaceCount { org: string; place: string; electors: Count[] }
export interface Electors extends Answer { at: string; what: string; electors: Count[]; places: PlaceCount[] }

export interface ReachOrg { org: string; hops: number; electors: Count[]; first_at: string; last_at: string }
export interface ReachAt extends ReachOrg { place: string }
export interface Reach extends Answer { at: string; organisations: ReachOrg[]; places: ReachAt[] }

export interface Step extends MovementRef { occurred_at: string; kind: string; basis: string; from: string; inputs: string[]; to: string; actor: string; purpose: string; agreement: string; fields: string[] }
export interface Copy { place: string; org: string; electors: Count[]; since: string; last_at: string; route: Step[] }
export interface Use extends MovementRef { occurred_at: string; kind: string; place: string; to: string; destroyed_at: string; electors: Count[] }
export interface Copies extends Answer { at: string; destroyed: Count[]; places: Copy[]; used: Use[] }

export interface FieldOrigin { origin: string; electors: Count[] }
export interface Field { field: string; electors: Count[]; origins: FieldOrigin[] }
export interface Fields extends Answer { at: string; electors: Count[]; fields: Field[]; not_said: Count[] }

export interface Movement extends MovementRef {
  occurred_at: string; kind: string; state: string; outcome: string; basis: string; inputs: { place: string; fields: string[] }[]; output: string
  actor: string; recorded_by: { user: string; host: string }; purpose: string; agreement: string; fields: string[]; mode: string; records: number; electors?: Count[]
}
export interface Movements extends Answer { movements: Movement[] }

export interface Stay { org: string; place: string; holding: boolean; entries: number; first_entry: string; last_entry: string; destroyed_at: string; route: Step[] }
export interface Dossier extends Answer {
  elector: { id_space: string; key_id: string; key: string }
  organisations: { org: string; holding: boolean; first_entry: string; last_entry: string }[]
  places: Stay[]
  movements: Movement[]
}

export interface MatchCopy {
  what: string; org: string; place: string; since: string; electors: number; matched: number; held: number; seeds: number; seeds_found: number; share_of_found: number; share_of_copy: number
  evidence_bits: number; chance_log10: number; tied: boolean; only_first: number; only_first_found: number; only_here: number; only_here_found: number; route: Step[]
}
export interface Match extends Answer {
  found: { id_space: string; records: number; unkeyed: number; keys: number; known: number; unknown: number; seeds: number }
  seedings: { place: string; occurred_at: string; seeds: number; found: number }[]
  considered: number
  copies: MatchCopy[]
}

export interface Finding {
  id: string; rule: string; severity: string; title: string; text: string; on: string; subject: string; since: string; places: string[]; organisations: string[]; electors: number
  status: string; ruled_by: string; ruled_why: string; ruled_at: string
}
export interface Findings { as_of: string; stopped: string[]; findings: Finding[] }

/** A Fault is what a question was answered with instead of an answer. */
export class Fault extends Error {
  constructor(readonly status: number, message: string) { super(message) }
}

async function read<A>(request: Promise<Response>): Promise<A> {
  let response: Response
  try {
    response = await request
  } catch (e) {
    if (e instanceof DOMException && e.name === 'AbortError') throw e
    throw new Fault(0, 'the page’s server does not answer')
  }
  const body = await response.json().catch(() => ({}))
  if (!response.ok) throw new Fault(response.status, body.error ?? response.statusText)
  return body as A
}

type Parameters = Record<string, string | string[] | undefined>

function query(parameters: Parameters): string {
  const q = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) for (const v of [value ?? []].flat()) if (v !== '') q.append(name, v)
  return q.toString()
}

export function ask<A>(question: string, parameters: Parameters, signal?: AbortSignal): Promise<A> {
  return read<A>(fetch(`api/${question}?${query(parameters)}`, { signal }))
}

export function tell<A>(question: string, body: unknown, signal?: AbortSignal): Promise<A> {
  return read<A>(fetch(`api/${question}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body), signal }))
}

export function upload<A>(question: string, parameters: Parameters, file: Blob, signal?: AbortSignal): Promise<A> {
  return read<A>(fetch(`api/${question}?${query(parameters)}`, { method: 'POST', headers: { 'Content-Type': 'application/octet-stream' }, body: file, signal }))
}

export function logout(): Promise<unknown> {
  return read(fetch('api/session', { method: 'DELETE' }))
}

/** sum is the number to draw with, never to show: electors of different id spaces may be the same people. */
export function sum(counts: Count[]): number {
  return counts.reduce((n, c) => n + c.electors, 0)
}
