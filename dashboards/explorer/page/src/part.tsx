// Small parts that every view is made of.
import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'
import type { Answer, Movement, Step } from './api'
import type { Asked } from './use'
import { useForms, useText } from './text'

/** A Section is a heading with an answer below: what is shown while it is asked for, and what could change it. */
export function Section<A extends Answer>({ title, asked, children, quiet, folded }: { title: string; asked: Asked<A>; children: (answer: A) => ComponentChildren; quiet?: boolean; folded?: boolean }) {
  const text = useText(), id = useId()
  return (
    <section aria-labelledby={id} aria-busy={asked.asking}>
      <h3 id={id}>{title}{asked.asking && <span class="asking"> {text.loading}</span>}</h3>
      {asked.fault && <p class="fault" role="alert" lang="en">{asked.fault.message}</p>}
      {asked.answer && <>{children(asked.answer)}{!quiet && <Notes answer={asked.answer} folded={folded} />}</>}
    </section>
  )
}

/** Notes say what an answer does not know. An answer without them is not dressed up as certain. */
export function Notes({ answer, folded }: { answer: Answer; folded?: boolean }) {
  const text = useText()
  if (answer.notes.length === 0) return null
  return (
    <details class="notes" open={!folded && !answer.complete && answer.notes.length < 4}>
      <summary>{text.notes} ({answer.notes.length})</summary>
      <ul lang="en">{answer.notes.map(n => <li key={n.code}><code>{n.code}</code> {n.text}</li>)}</ul>
    </details>
  )
}

export interface Column<R> { title: string; number?: boolean; cell: (row: R) => ComponentChildren }

/** maxRows is how many rows a table draws; what is beyond is said. */
const maxRows = 200

export function Table<R>({ caption, rows, columns }: { caption: string; rows: R[]; columns: Column<R>[] }) {
  const text = useText()
  if (rows.length === 0) return <p class="none">{text.none}</p>
  return (
    <div class="table" role="region" aria-label={caption} tabIndex={0}>
      <table>
        <caption class="hidden">{caption}</caption>
        <thead><tr>{columns.map(c => <th scope="col" class={c.number ? 'number' : undefined}>{c.title}</th>)}</tr></thead>
        <tbody>{rows.slice(0, maxRows).map(row => <tr>{columns.map(c => <td class={c.number ? 'number' : undefined}>{c.cell(row)}</td>)}</tr>)}</tbody>
      </table>
      {rows.length > maxRows && <p class="cut">{text.cut(maxRows)}</p>}
    </div>
  )
}

export function Route({ steps }: { steps: Step[] }) {
  const forms = useForms(), text = useText()
  if (steps.length === 0) return <>{text.none}</>
  return (
    <details class="route">
      <summary>{text.steps(steps.length)}</summary>
      <ol>{steps.map(s => (
        <li><time dateTime={s.occurred_at}>{forms.time(s.occurred_at)}</time> <b>{s.kind}</b> {s.from || s.inputs.join(' + ')} → {s.to}
          {s.actor && <> · {text.by} {s.actor}</>}{s.purpose && <> · {s.purpose}</>}{s.agreement && <> · {s.agreement}</>}</li>
      ))}</ol>
    </details>
  )
}

export function MovementTable({ movements, go }: { movements: Movement[]; go?: (at: string) => void }) {
  const forms = useForms(), text = useText()
  return <Table caption={text.movements} rows={movements} columns={[
    { title: text.when, cell: m => <time dateTime={m.occurred_at}>{forms.time(m.occurred_at)}</time> },
    { title: text.kind, cell: m => <><b>{m.kind}</b>{m.outcome !== 'completed' && <> <em>{m.outcome || m.state}</em></>}{m.basis !== 'observed' && <> <em>{m.basis}</em></>}</> },
    { title: text.from, cell: m => m.inputs.map(i => <div><Place at={i.place} go={go} /></div>) },
    { title: text.to, cell: m => m.output && <Place at={m.output} go={go} /> },
    { title: text.actor, cell: m => m.actor || m.recorded_by.user },
    { title: text.purpose, cell: m => [m.purpose, m.agreement].filter(Boolean).join(' · ') },
  ]} />
}

/** MovementList says the same as a MovementTable where there is no room for one. */
export function MovementList({ movements, go }: { movements: Movement[]; go: (at: string) => void }) {
  const forms = useForms(), text = useText()
  if (movements.length === 0) return <p class="none">{text.none}</p>
  return (
    <>
      <ul class="movements">{movements.slice(0, maxRows).map(m => (
        <li>
          <div><time dateTime={m.occurred_at}>{forms.time(m.occurred_at)}</time> <b>{m.kind}</b>{m.outcome !== 'completed' && <> <em>{m.outcome || m.state}</em></>}{m.basis !== 'observed' && <> <em>{m.basis}</em></>}
            {' · '}{m.mode === 'counted' ? <em>{forms.number(m.records)}, {text.notKnown}</em> : forms.counts(m.electors ?? [])}</div>
          <div>{m.inputs.map((i, n) => <>{n > 0 && ' + '}<Place at={i.place} go={go} /></>)}{m.output && <> → <Place at={m.output} go={go} /></>}</div>
          <div class="help">{[m.actor && `${text.by} ${m.actor}`, m.purpose, m.agreement, m.fields.join(', ')].filter(Boolean).join(' · ')}</div>
        </li>
      ))}</ul>
      {movements.length > maxRows && <p class="cut">{text.cut(maxRows)}</p>}
    </>
  )
}

/** A Place is the name of one, or of an organisation, that one can go to. */
export function Place({ at, go }: { at: string; go?: (at: string) => void }) {
  const name = at.split('/').map((part, n) => n === 0 ? part : <>/<wbr />{part}</>)
  return go ? <button type="button" class="link" onClick={() => go(at)}>{name}</button> : <>{name}</>
}
