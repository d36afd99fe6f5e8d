// Where boxes and arrows go: from left to right, as dagre lays them out.
import { Graph, layout as lay } from '@dagrejs/dagre'
import { sum, type Overview, type OverviewFlow, type OverviewNode } from './api'

export interface Box { node: OverviewNode; x: number; y: number; width: number; height: number }
export interface Arrow { flow: OverviewFlow; path: string; width: number; x: number; y: number }
export interface Picture { boxes: Box[]; arrows: Arrow[]; width: number; height: number; notDrawn: number }

/** As many boxes and arrows as somebody can still see through: those at what is chosen come first, then the largest. The tables have all. */
const maxBoxes = 24, maxArrows = 48

export function picture(overview: Overview, chosen: string): Picture {
  const weights = new Map(overview.nodes.map(n => [n.name, sum(n.reached)]))
  for (const f of overview.flows) weights.set(f.from, Math.max(weights.get(f.from) ?? 0, sum(f.electors)))
  const here = (name: string) => chosen !== '' && (name === chosen || name.startsWith(`${chosen}/`))
  const near = new Set<string>()
  for (const f of overview.flows) if (here(f.from) || here(f.to)) near.add(f.from).add(f.to)
  const first = <T,>(all: T[], max: number, isNear: (t: T) => boolean, weight: (t: T) => number, name: (t: T) => string) => all.length <= max ? all
    : [...all].sort((a, b) => Number(isNear(b)) - Number(isNear(a)) || weight(b) - weight(a) || (name(a) < name(b) ? -1 : 1)).slice(0, max)
  const nodes = first(overview.nodes, maxBoxes, n => near.has(n.name), n => (here(n.name) ? 1e12 : 0) + (weights.get(n.name) ?? 0), n => n.name)
  const drawn = new Set(nodes.map(n => n.name))
  const flows = first(overview.flows.filter(f => drawn.has(f.from) && drawn.has(f.to)), maxArrows,
    f => here(f.from) || here(f.to), f => sum(f.electors), f => `${f.from} ${f.to}`)
  const g = new Graph({ multigraph: false })
  g.setGraph({ rankdir: 'LR', nodesep: 26, ranksep: 96, edgesep: 16, marginx: 16, marginy: 16 })
  g.setDefaultEdgeLabel(() => ({}))
  for (const node of [...nodes].sort((a, b) => (a.name < b.name ? -1 : 1))) g.setNode(node.name, { width: Math.max(150, 20 + 7.4 * label(node).length, node.name === node.org ? 90 + 7 * node.kind.length : 0), height: 54 })
  for (const flow of flows) g.setEdge(flow.from, flow.to, { width: 56, height: 18, labelpos: 'c' })
  lay(g)
  const most = Math.max(1, ...flows.map(f => sum(f.electors)))
  const arrows = flows.map(flow => {
    const edge = g.edge(flow.from, flow.to)
    return { flow, path: curve(edge.points), width: 1.5 + 8.5 * Math.log1p(sum(flow.electors)) / Math.log1p(most), x: edge.x ?? 0, y: edge.y ?? 0 }
  })
  const boxes = nodes.map(node => {
    const { x, y, width, height } = g.node(node.name)
    return { node, x: x - width / 2, y: y - height / 2, width, height }
  })
  const { width, height } = g.graph()
  return { boxes: boxes.sort((a, b) => a.x - b.x || a.y - b.y), arrows, width: width ?? 0, height: height ?? 0, notDrawn: overview.nodes.length - nodes.length + overview.flows.length - flows.length }
}

/** label is what a box is called: an organisation's name, or of a place what comes after it. */
export function label(node: OverviewNode): string {
  if (node.name === node.org) return node.name
  const rest = node.name.slice(node.org.length + 1)
  return rest.length > 34 ? `${rest.slice(0, 16)}…${rest.slice(-17)}` : rest
}

function curve(points: { x: number; y: number }[]): string {
  const [first, ...rest] = points
  if (!first) return ''
  let path = `M${first.x},${first.y}`
  for (let i = 0; i < rest.length; i++) {
    const p = rest[i]!, next = rest[i + 1]
    path += next && i < rest.length - 1 ? `Q${p.x},${p.y} ${(p.x + next.x) / 2},${(p.y + next.y) / 2}` : `L${p.x},${p.y}`
  }
  return path
}
