// What the rules found: read here, decided about on the command line, where who decides is known.
import { useState } from 'preact/hooks'
import type { Finding, Findings } from './api'
import { Place, Table } from './part'
import { useForms, useText } from './text'
import { useAnswer } from './use'

export function FindingsView({ asOf, go }: { asOf: string; go: (at: string) => void }) {
  const text = useText(), forms = useForms()
  const [all, setAll] = useState(false)
  const { answer, fault, asking } = useAnswer<Findings>('findings', { as_of: asOf })
  const shown = answer?.findings.filter(f => all || f.status === 'open') ?? []
  return (
    <>
      <h2>{text.findingsTitle}{asking && <span class="asking"> {text.loading}</span>}</h2>
      {fault && <p class="fault" role="alert" lang="en">{fault.message}</p>}
      {answer && (
        <>
          <p class="large" data-count="findings">{text.openFindings(answer.findings.filter(f => f.status === 'open').length)}</p>
          <p class="help">{answer.as_of === '' ? text.notAsked : text.askedAbout(forms.time(answer.as_of))}</p>
          {answer.stopped.map(s => <p class="cut" lang="en">{s}</p>)}
          <label class="check"><input type="checkbox" checked={all} onChange={e => setAll(e.currentTarget.checked)} /> {text.allFindings}</label>
          <Table<Finding> caption={text.findings} rows={shown} columns={[
            { title: text.severity, cell: f => <b class={`severity ${f.severity}`}>{f.severity}</b> },
            { title: text.since, cell: f => forms.time(f.since) },
            { title: text.what, cell: f => <span lang="en"><b>{f.title}</b><br />{f.text}</span> },
            { title: text.places, cell: f => f.places.map(p => <div><Place at={p} go={go} /></div>) },
            { title: text.status, cell: f => <>{f.status}{f.ruled_by && <> {text.by} {f.ruled_by}{f.ruled_why && <>: {f.ruled_why}</>}</>}</> },
            { title: text.rule, cell: f => <code>{f.rule}</code> },
          ]} />
        </>
      )}
    </>
  )
}
