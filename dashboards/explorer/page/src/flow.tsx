// The flow of records between organisations: counts first, places when asked.
import { useMemo, useState } from 'preact/hooks'
import { Dossier } from './dossier'
import { label, picture, type Picture } from './layout'
import { Notes, Place, Table } from './part'
import { TimeSlider } from './time'
import { useForms, useText } from './text'
import { useAnswer, type Where } from './use'
import type { Overview, OverviewNode } from './api'

export function FlowView({ where, go }: { where: Where; go: (change: Partial<Where>) => void }) {
  const text = useText(), forms = useForms()
  const asked = useAnswer<Overview>('overview', { as_of: where.asOf, expand: where.expand })
  const overview = asked.answer
  const drawn = useMemo(() => overview && picture(overview, where.at), [overview, where.at])
  const choose = (at: string) => go({ at })
  const toggle = (org: string) => go({ expand: where.expand.includes(org) ? where.expand.filter(o => o !== org) : [...where.expand, org] })
  return (
    <>
      {overview && <TimeSlider moments={overview.moments} asOf={where.asOf} change={asOf => go({ asOf })} />}
      {asked.fault && <p class="fault" role="alert"><span lang="en">{asked.fault.message}</span>{where.asOf && <> <button type="button" onClick={() => go({ asOf: '' })}>{text.asOf}: {text.now}</button></>}</p>}
      {!overview && asked.asking && <p class="asking">{text.loading}</p>}
      {overview && drawn && (
        <div class="columns">
          <div>
            <Drawing drawn={drawn} chosen={where.at} choose={choose} />
            {drawn.notDrawn > 0 && <p class="cut">{text.notDrawn(drawn.notDrawn)}</p>}
            <Notes answer={overview} />
            <h2>{text.organisations}</h2>
            <Table<OverviewNode> caption={text.organisations} rows={overview.nodes} columns={[
              { title: text.organisation, cell: n => <><Place at={n.name} go={choose} /> <small>{[n.title, n.places > 1 && n.name === n.org && text.placesOf(n.places)].filter(Boolean).join(', ')}</small></> },
              { title: text.registered, cell: n => n.kind ? [n.kind, n.jurisdiction].filter(Boolean).join(', ') : <em>{text.notRegistered}</em> },
              { title: text.heldNow, number: true, cell: n => forms.counts(n.holding) },
              { title: text.everReached, number: true, cell: n => forms.counts(n.reached) },
            ]} />
            <h2>{text.flows}</h2>
            <Table caption={text.flows} rows={overview.flows} columns={[
              { title: text.from, cell: f => <Place at={f.from} go={choose} /> },
              { title: text.to, cell: f => <Place at={f.to} go={choose} /> },
              { title: text.electors, number: true, cell: f => <>{forms.counts(f.electors)}{f.counted > 0 && <> <em>+ {text.notKnown}</em></>}</> },
              { title: text.movements, number: true, cell: f => forms.number(f.movements) },
              { title: text.first, cell: f => forms.time(f.first_at) },
              { title: text.last, cell: f => forms.time(f.last_at) },
            ]} />
          </div>
          <aside aria-label={text.details}>
            {where.at
              ? <Dossier key={where.at} at={where.at} asOf={where.asOf} go={choose} expanded={where.expand.includes(where.at.split('/')[0]!)} toggle={toggle}
                who={overview.nodes.find(n => n.org === where.at.split('/')[0])} />
              : <p class="none">{text.choose}</p>}
          </aside>
        </div>
      )}
    </>
  )
}

function Drawing({ drawn, chosen, choose }: { drawn: Picture; chosen: string; choose: (at: string) => void }) {
  const text = useText(), forms = useForms()
  const held = (n: OverviewNode) => (n.name === n.org && n.kind ? `${n.kind} · ` : '') + (n.holding.length > 0 ? `${forms.counts(n.holding)} ${text.held}` : text.none)
  const [zoom, setZoom] = useState(0) // 0: as wide as there is room
  return (
    <figure class="picture">
      <figcaption>{text.pictureHelp}</figcaption>
      <div class="zoom">
        <button type="button" onClick={() => setZoom(z => Math.max(0.3, (z || 1) / 1.3))}>{text.zoomOut}</button>
        <button type="button" onClick={() => setZoom(0)}>{text.fit}</button>
        <button type="button" onClick={() => setZoom(z => Math.min(3, (z || 1) * 1.3))}>{text.zoomIn}</button>
      </div>
      <div class="canvas" tabIndex={0} role="region" aria-label={text.picture}>
        <svg viewBox={`0 0 ${drawn.width} ${drawn.height}`} role="group" aria-label={text.picture}
          style={zoom ? { width: `${drawn.width * zoom}px` } : { width: '100%', minWidth: `${drawn.width * 0.6}px`, maxWidth: `${drawn.width * Math.max(0.6, Math.min(1.3, 500 / drawn.height))}px` }}>
          <defs><marker id="head" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0L8,4L0,8z" /></marker></defs>
          {drawn.arrows.map(a => (
            <g class={`arrow${a.flow.from === chosen || a.flow.to === chosen ? ' near' : ''}`} key={`${a.flow.from} ${a.flow.to}`} aria-hidden="true">
              <path d={a.path} stroke-width={a.width} marker-end="url(#head)"><title>{`${a.flow.from} → ${a.flow.to}: ${forms.counts(a.flow.electors)}`}</title></path>
            </g>
          ))}
          {drawn.arrows.map(a => <text class="label" x={a.x} y={a.y} aria-hidden="true">{a.flow.electors.length ? forms.counts(a.flow.electors) : '?'}</text>)}
          {drawn.boxes.map(b => (
            <g class={`box${b.node.name === chosen ? ' chosen' : ''}${b.node.name === b.node.org ? '' : ' place'}`} key={b.node.name} role="button" tabindex={0} aria-pressed={b.node.name === chosen}
              aria-label={`${b.node.name} ${held(b.node)}, ${forms.counts(b.node.reached)} ${text.reached}`}
              onClick={() => choose(b.node.name)} onKeyDown={e => { if (e.key === 'Enter' || e.key === ' ') { e.preventDefault(); choose(b.node.name) } }}>
              <title>{[b.node.name, b.node.title, b.node.jurisdiction].filter(Boolean).join(', ')}</title>
              <rect x={b.x} y={b.y} width={b.width} height={b.height} rx={8} />
              <text x={b.x + b.width / 2} y={b.y + 22} class="name">{label(b.node)}</text>
              {' '}<text x={b.x + b.width / 2} y={b.y + 41} class="count">{held(b.node)}</text>
            </g>
          ))}
        </svg>
      </div>
    </figure>
  )
}
