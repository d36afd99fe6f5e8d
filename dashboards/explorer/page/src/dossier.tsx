// The dossier of an organisation or a place: what it holds, from whom, where it went on to, and what is left.
import { MovementList, Place, Route, Section, Table } from './part'
import { useForms, useText } from './text'
import { useAnswer } from './use'
import type { Copies, Electors, Fields, Movements, OverviewNode, Reach } from './api'

export function Dossier({ at, asOf, go, expanded, toggle, who }: { at: string; asOf: string; go: (at: string) => void; expanded: boolean; toggle: (org: string) => void; who?: OverviewNode }) {
  const text = useText(), forms = useForms()
  const asked = { at, as_of: asOf }
  const holding = useAnswer<Electors>('electors', { ...asked, what: 'holding' })
  const reached = useAnswer<Electors>('electors', { ...asked, what: 'reached' })
  const sources = useAnswer<Reach>('sources', asked)
  const reach = useAnswer<Reach>('reach', asked)
  const fields = useAnswer<Fields>('fields', asked)
  const copies = useAnswer<Copies>('copies', asked)
  const into = useAnswer<Movements>('movements', { to: at, as_of: asOf })
  const out = useAnswer<Movements>('movements', { from: at, as_of: asOf })
  const org = at.split('/')[0]!
  if (holding.fault?.status === 404) return <div class="dossier" data-at={at}><h2>{at}</h2><p class="fault" role="alert" lang="en">{holding.fault.message}</p></div>
  return (
    <div class="dossier" data-at={at}>
      <h2>{at}</h2>
      {who && <p class="help">{who.kind ? [who.title, who.kind, who.jurisdiction].filter(Boolean).join(' · ') : text.notRegistered}</p>}
      <button type="button" aria-expanded={expanded} onClick={() => toggle(org)}>{expanded ? text.close : text.open}</button>
      <Section title={text.heldNow} asked={holding} folded>{a => (
        <>
          <p class="large" data-count="holding">{forms.counts(a.electors)}</p>
          {a.places.length > 0 && at === org && <Table caption={text.places} rows={a.places} columns={[
            { title: text.place, cell: p => <Place at={p.place} go={go} /> },
            { title: text.heldNow, number: true, cell: p => forms.counts(p.electors) },
          ]} />}
        </>
      )}</Section>
      <Section title={text.everReached} asked={reached} quiet>{a => <p class="large" data-count="reached">{forms.counts(a.electors)}</p>}</Section>
      <Section title={text.sources} asked={sources} folded>{a => <ReachTable reach={a} caption={text.sources} go={go} />}</Section>
      <Section title={text.reach} asked={reach} folded>{a => <ReachTable reach={a} caption={text.reach} go={go} />}</Section>
      <Section title={text.fields} asked={fields} quiet>{a => (
        <Table caption={text.fields} rows={[...a.fields.map(f => ({ name: f.field, electors: f.electors })), ...(a.not_said.length ? [{ name: text.notSaid, electors: a.not_said }] : [])]} columns={[
          { title: text.field, cell: f => f.name },
          { title: text.electors, number: true, cell: f => forms.counts(f.electors) },
        ]} />
      )}</Section>
      <Section title={text.copies} asked={copies} folded>{a => a.destroyed.length === 0 && a.used.length === 0 ? <p class="none">{text.none}</p> : (
        <>
          <p>{text.destroyed}: <b data-count="destroyed">{forms.counts(a.destroyed)}</b></p>
          <h4>{text.left}</h4>
          <Table caption={text.left} rows={a.places} columns={[
            { title: text.place, cell: c => <Place at={c.place} go={go} /> },
            { title: text.electors, number: true, cell: c => forms.counts(c.electors) },
            { title: text.since, cell: c => forms.time(c.since) },
            { title: text.route, cell: c => <Route steps={c.route} /> },
          ]} />
          {a.used.length > 0 && <>
            <h4>{text.used}</h4>
            <Table caption={text.used} rows={a.used} columns={[
              { title: text.when, cell: u => forms.time(u.occurred_at) },
              { title: text.from, cell: u => <Place at={u.place} go={go} /> },
              { title: text.to, cell: u => <Place at={u.to} go={go} /> },
              { title: text.electors, number: true, cell: u => forms.counts(u.electors) },
              { title: text.destroyedAt, cell: u => forms.time(u.destroyed_at) },
            ]} />
          </>}
        </>
      )}</Section>
      <Section title={`${text.movements} → ${at}`} asked={into} quiet>{a => <MovementList movements={a.movements} go={go} />}</Section>
      <Section title={`${text.movements} ${at} →`} asked={out} folded>{a => <MovementList movements={a.movements} go={go} />}</Section>
    </div>
  )
}

function ReachTable({ reach, caption, go }: { reach: Reach; caption: string; go: (at: string) => void }) {
  const text = useText(), forms = useForms()
  const rows = [...reach.organisations.map(o => ({ ...o, name: o.org })), ...reach.places.map(p => ({ ...p, name: p.place }))]
  return <Table caption={caption} rows={rows} columns={[
    { title: text.place, cell: r => <Place at={r.name} go={go} /> },
    { title: text.electors, number: true, cell: r => forms.counts(r.electors) },
    { title: text.hops, number: true, cell: r => forms.number(r.hops) },
    { title: text.first, cell: r => forms.time(r.first_at) },
  ]} />
}
