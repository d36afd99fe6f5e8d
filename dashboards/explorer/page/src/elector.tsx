// One elector: the identifier goes to the page's own process in the body of a request, and nowhere else.
import { useId, useState } from 'preact/hooks'
import { Fault, tell, type Centre, type Dossier } from './api'
import { MovementTable, Place, Route, Section, Table } from './part'
import { useForms, useText } from './text'
import { loginNeeded, type Asked } from './use'

export function ElectorView({ centre, asOf, go }: { centre: Centre; asOf: string; go: (at: string) => void }) {
  const text = useText(), forms = useForms(), id = useId()
  const [asked, setAsked] = useState<Asked<Dossier>>({ asking: false })
  const look = (e: Event) => {
    e.preventDefault()
    const form = new FormData(e.currentTarget as HTMLFormElement)
    const value = (name: string) => String(form.get(name) ?? '').trim()
    const key = value('key')
    setAsked({ asking: true })
    tell<Dossier>('elector', key ? { key, as_of: asOf } : { identifier: value('identifier'), id_space: value('id_space'), as_of: asOf }).then(
      answer => setAsked({ answer, asking: false }),
      (fault: Fault) => { if (fault.status === 401) loginNeeded(); setAsked({ fault, asking: false }) },
    )
  }
  const dossier = asked.answer
  return (
    <>
      <h2>{text.lookUp}</h2>
      <form class="ask" autocomplete="off" onSubmit={look}>
        {centre.identifiers ? <>
          <div><label for={`${id}i`}>{text.identifier}</label><input id={`${id}i`} name="identifier" autocomplete="off" spellcheck={false} aria-describedby={`${id}h`} /></div>
          <div><label for={`${id}s`}>{text.idSpace}</label><input id={`${id}s`} name="id_space" list={`${id}l`} value="elector-id" />
            <datalist id={`${id}l`}><option value="elector-id" /><option value="crm-id" /><option value="email" /><option value="phone" /></datalist></div>
          <span class="or">{text.orKey}</span>
        </> : <p>{text.noIdentifiers}</p>}
        <div><label for={`${id}k`}>{text.key}</label><input id={`${id}k`} name="key" autocomplete="off" spellcheck={false} maxLength={16} pattern="[0-9a-fA-F]{16}" /></div>
        <button type="submit">{text.ask}</button>
        {centre.identifiers && <p id={`${id}h`} class="help">{text.identifierHelp}</p>}
      </form>
      <Section title={dossier ? `${dossier.elector.id_space} ${dossier.elector.key}` : text.elector} asked={asked}>{a => (
        <>
          <p class="large" data-count="organisations">{text.reachedOrgs(a.organisations.length, a.organisations.filter(o => o.holding).length)}</p>
          <Table caption={text.places} rows={a.places} columns={[
            { title: text.place, cell: p => <Place at={p.place} go={go} /> },
            { title: text.stillThere, cell: p => p.holding ? <b>{text.yes}</b> : text.no },
            { title: text.firstEntry, cell: p => forms.time(p.first_entry) },
            { title: text.lastEntry, cell: p => forms.time(p.last_entry) },
            { title: text.destroyedAt, cell: p => forms.time(p.destroyed_at) },
            { title: text.route, cell: p => <Route steps={p.route} /> },
          ]} />
          <h4>{text.movements}</h4>
          <MovementTable movements={a.movements} go={go} />
        </>
      )}</Section>
    </>
  )
}
