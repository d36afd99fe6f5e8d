import { render } from 'preact'
import { useEffect, useId, useState } from 'preact/hooks'
import { Fault, logout, tell, type Centre } from './api'
import { ElectorView } from './elector'
import { FindingsView } from './findings'
import { FlowView } from './flow'
import { FoundView } from './found'
import { firstLanguage, keepLanguage, LanguageContext, languages, useText, type Language } from './text'
import { onLoginNeeded, useAnswer, useWhere } from './use'
import './style.css'

function App() {
  const [language, setLanguage] = useState<Language>(firstLanguage)
  const text = languages[language]
  const [logins, setLogins] = useState(0) // how many there were: what is shown is asked for anew after each
  const [unknown, setUnknown] = useState(false)
  useEffect(() => onLoginNeeded(() => setUnknown(true)), [])
  useEffect(() => { document.documentElement.lang = language; document.title = text.title }, [language])
  const change = () => { const next = language === 'en' ? 'fr' : 'en'; keepLanguage(next); setLanguage(next) }
  return (
    <LanguageContext.Provider value={language}>
      {unknown ? <Login done={() => { setUnknown(false); setLogins(n => n + 1) }} /> : <Views key={logins} change={change} leave={() => logout().finally(() => setUnknown(true))} />}
    </LanguageContext.Provider>
  )
}

function Views({ change, leave }: { change: () => void; leave: () => void }) {
  const text = useText()
  const [where, go] = useWhere()
  const { answer: centre, fault } = useAnswer<Centre>('centre', {})
  const toFlow = (at: string) => go({ view: 'flow', at })
  const views = [['flow', text.flow], ['elector', text.elector], ['found', text.found], ...(centre?.findings ? [['findings', text.findings] as const] : [])] as const
  return (
    <>
      <a class="skip" href="#content" onClick={e => { e.preventDefault(); document.getElementById('content')?.focus() }}>{text.skip}</a>
      <header>
        <div class="brand"><img src="icon.svg" alt="" width="32" height="32" /><div><h1>{text.title}</h1><p>{text.tagline}</p></div></div>
        <nav aria-label={text.title}>{views.map(([view, name]) => <button type="button" aria-current={where.view === view ? 'page' : undefined} onClick={() => go({ view })}>{name}</button>)}</nav>
        <button type="button" class="link" lang={text.otherLanguage} onClick={change}>{text.language}</button>
      </header>
      <main id="content" tabIndex={-1}>
        {fault && <p class="fault" role="alert" lang="en">{fault.message}</p>}
        {where.view === 'flow' && <FlowView where={where} go={go} />}
        {centre && where.view === 'elector' && <ElectorView centre={centre} asOf={where.asOf} go={toFlow} />}
        {where.view === 'findings' && <FindingsView asOf={where.asOf} go={toFlow} />}
        {centre && where.view === 'found' && <FoundView centre={centre} asOf={where.asOf} go={toFlow} />}
      </main>
      <footer>{centre && <><span>Rolltrace {centre.version}</span>{centre.reader && <><span>{text.reader}: {centre.reader}</span><button type="button" class="link" onClick={leave}>{text.leave}</button></>}</>}</footer>
    </>
  )
}

function Login({ done }: { done: () => void }) {
  const text = useText(), id = useId()
  const [fault, setFault] = useState('')
  const enter = (e: Event) => {
    e.preventDefault()
    tell('session', { token: String(new FormData(e.currentTarget as HTMLFormElement).get('token') ?? '') }).then(done, (f: Fault) => setFault(f.message))
  }
  return (
    <main id="content" class="login">
      <h1>{text.login}</h1>
      <form class="ask" onSubmit={enter}>
        <div><label for={id}>{text.token}</label><input id={id} name="token" type="password" autocomplete="current-password" required /></div>
        <button type="submit">{text.enter}</button>
        {fault && <p class="fault" role="alert" lang="en">{fault}</p>}
      </form>
    </main>
  )
}

render(<App />, document.getElementById('page')!)
