// What components share: a question that is asked again when its parameters change, and the page's address.
import { useEffect, useState } from 'preact/hooks'
import { ask, Fault } from './api'

export interface Asked<A> { answer?: A; fault?: Fault; asking: boolean }

/** loginNeeded is called when a question is answered with: who are you? */
export let loginNeeded = () => {}
export function onLoginNeeded(f: () => void) { loginNeeded = f }

export function useAnswer<A>(question: string, parameters: Record<string, string | string[] | undefined>, when = true): Asked<A> {
  const [asked, setAsked] = useState<Asked<A>>({ asking: when })
  const key = JSON.stringify([question, parameters, when])
  useEffect(() => {
    if (!when) return
    const abort = new AbortController()
    setAsked(previous => ({ answer: previous.answer, asking: true }))
    ask<A>(question, parameters, abort.signal).then(
      answer => setAsked({ answer, asking: false }),
      fault => {
        if (abort.signal.aborted) return
        if (fault.status === 401) loginNeeded()
        setAsked({ fault, asking: false })
      },
    )
    return () => abort.abort()
  }, [key])
  return asked
}

/** Where is what the address says: what is looked at, as of when, which organisations are expanded. Never an elector. */
export interface Where { view: string; at: string; asOf: string; expand: string[] }

export function readWhere(hash: string): Where {
  const [view, rest] = hash.replace(/^#\/?/, '').split('?')
  const q = new URLSearchParams(rest)
  return { view: view || 'flow', at: q.get('at') ?? '', asOf: q.get('as_of') ?? '', expand: q.getAll('expand') }
}

export function writeWhere(w: Where): string {
  const q = new URLSearchParams()
  if (w.at) q.set('at', w.at)
  if (w.asOf) q.set('as_of', w.asOf)
  for (const org of w.expand) q.append('expand', org)
  const rest = q.toString()
  return `#/${w.view}${rest && '?' + rest}`
}

export function useWhere(): [Where, (change: Partial<Where>) => void] {
  const [where, setWhere] = useState(() => readWhere(location.hash))
  useEffect(() => {
    const read = () => setWhere(readWhere(location.hash))
    addEventListener('hashchange', read)
    return () => removeEventListener('hashchange', read)
  }, [])
  return [where, change => { location.hash = writeWhere({ ...readWhere(location.hash), ...change }) }]
}
