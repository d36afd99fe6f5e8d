// The slider of time: over the moments at which something happened, and, at its end, all that is known.
import { useEffect, useId, useState } from 'preact/hooks'
import { useForms, useText } from './text'

export function TimeSlider({ moments, asOf, change }: { moments: string[]; asOf: string; change: (asOf: string) => void }) {
  const text = useText(), forms = useForms(), id = useId()
  const end = moments.length
  const here = asOf === '' ? end : Math.max(0, moments.filter(m => m <= asOf).length - 1)
  const [at, setAt] = useState(here)
  useEffect(() => setAt(here), [here])
  const say = (n: number) => n >= end ? text.now : forms.time(moments[n]!)
  const go = (n: number) => { setAt(n); change(n >= end ? '' : moments[n]!) }
  // While it is dragged the text follows at once, and the question waits for a moment's rest.
  useEffect(() => {
    if (at === here) return
    const rest = setTimeout(() => go(at), 250)
    return () => clearTimeout(rest)
  }, [at])
  if (end === 0) return null
  return (
    <div class="time">
      <label for={id}>{text.asOf}</label>
      <button type="button" aria-label={text.previous} disabled={at <= 0} onClick={() => go(at - 1)}>‹</button>
      <input id={id} type="range" min={0} max={end} step={1} value={at} aria-valuetext={say(at)} onInput={e => setAt(Number(e.currentTarget.value))} />
      <button type="button" aria-label={text.next} disabled={at >= end} onClick={() => go(at + 1)}>›</button>
      <output for={id}>{asOf !== '' && at === here ? forms.time(asOf) : say(at)}</output>
    </div>
  )
}
