// A found list: sent to the page's own process, compared there, not kept.
import { useId, useState } from 'preact/hooks'
import { Fault, upload, type Centre, type Match, type MatchCopy } from './api'
import { Place, Route, Section, Table } from './part'
import { useForms, useText } from './text'
import { loginNeeded, type Asked } from './use'

export function FoundView({ centre, asOf, go }: { centre: Centre; asOf: string; go: (at: string) => void }) {
  const text = useText(), forms = useForms(), id = useId()
  const [asked, setAsked] = useState<Asked<Match>>({ asking: false })
  const [file, setFile] = useState<File>()
  const [columns, setColumns] = useState<string[]>([])
  if (!centre.match) return <><h2>{text.foundTitle}</h2><p class="none">{text.noMatch}</p></>
  const format = (name: string) => /\.(tsv|tab|txt)$/i.test(name) ? 'tsv' : 'csv'
  const take = async (file?: File) => {
    setFile(file)
    setColumns([])
    if (!file) return
    const [head] = (await file.slice(0, 65536).text()).split(/\r?\n/, 1)
    setColumns((head ?? '').split(format(file.name) === 'tsv' ? '\t' : ',').map(c => c.trim().replace(/^"(.*)"$/, '$1')))
  }
  const compare = (e: Event) => {
    e.preventDefault()
    if (!file) return
    const column = String(new FormData(e.currentTarget as HTMLFormElement).get('column') ?? '')
    setAsked({ asking: true })
    upload<Match>('match', { id: column, format: format(file.name), as_of: asOf }, file).then(
      answer => setAsked({ answer, asking: false }),
      (fault: Fault) => { if (fault.status === 401) loginNeeded(); setAsked({ fault, asking: false }) },
    )
  }
  return (
    <>
      <h2>{text.foundTitle}</h2>
      <form class="ask" onSubmit={compare}>
        <div><label for={`${id}f`}>{text.file}</label><input id={`${id}f`} type="file" accept=".csv,.tsv,.tab,.txt,.gz,.zst" required aria-describedby={`${id}h`} onChange={e => take(e.currentTarget.files?.[0])} /></div>
        <div><label for={`${id}c`}>{text.column}</label><input id={`${id}c`} name="column" required list={`${id}l`} /><datalist id={`${id}l`}>{columns.map(c => <option value={c} />)}</datalist></div>
        <button type="submit" disabled={!file}>{text.compare}</button>
        <p id={`${id}h`} class="help">{text.foundHelp}</p>
      </form>
      <Section title={text.found} asked={asked}>{a => (
        <>
          <p class="large" data-count="found">{text.foundIn(forms.number(a.found.known), forms.number(a.found.keys), forms.number(a.found.records))}</p>
          {a.seedings.length > 0 && <>
            <h4>{text.seedings}</h4>
            <Table caption={text.seedings} rows={a.seedings} columns={[
              { title: text.copy, cell: s => <Place at={s.place} go={go} /> },
              { title: text.when, cell: s => forms.time(s.occurred_at) },
              { title: text.putIn, number: true, cell: s => forms.number(s.seeds) },
              { title: text.inList, number: true, cell: s => forms.number(s.found) },
            ]} />
          </>}
          <h4>{text.copies2}</h4>
          <Table<MatchCopy> caption={text.copies2} rows={a.copies} columns={[
            { title: text.copy, cell: c => <><Place at={c.place} go={go} /> <small>{c.what}</small>{c.tied && c !== a.copies[0] && <> <em>{text.tied}</em></>}</> },
            { title: text.electors, number: true, cell: c => forms.number(c.electors) },
            { title: text.inList, number: true, cell: c => forms.number(c.matched) },
            ...(a.found.seeds > 0 ? [{ title: text.invented, number: true, cell: (c: MatchCopy) => `${forms.number(c.seeds_found)} / ${forms.number(c.seeds)}` }] : []),
            { title: text.ofList, number: true, cell: c => forms.share(c.share_of_found) },
            { title: text.ofCopy, number: true, cell: c => forms.share(c.share_of_copy) },
            { title: text.evidence, number: true, cell: c => forms.number(Math.round(c.evidence_bits)) },
            { title: text.chance, number: true, cell: c => c.chance_log10 > -2 ? text.likely : <>10<sup>{forms.number(Math.round(c.chance_log10))}</sup></> },
            { title: text.since, cell: c => forms.time(c.since) },
            { title: text.stillHeld, number: true, cell: c => forms.number(c.held) },
            { title: text.route, cell: c => <Route steps={c.route} /> },
          ]} />
        </>
      )}</Section>
    </>
  )
}
