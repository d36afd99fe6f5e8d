// What the scripts share: a browser that hears every complaint, pictures, and a look with the eyes of axe.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { chromium } from 'playwright-core'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
export const data = process.env.PAGE_DATA

/** open gives pages, and fails the run when a page complained. */
export function open() {
  let browser
  const complaints = []
  before(async () => { browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] }) })
  after(async () => {
    await browser.close()
    assert.deepEqual(complaints, [], 'the console has complaints')
  })
  return async (hash = '', options = {}) => {
    const page = await browser.newPage({ viewport: { width: 1400, height: 1000 }, locale: 'en-CA', ...options })
    page.on('console', m => { if (['error', 'warning'].includes(m.type())) complaints.push(m.text()) })
    page.on('pageerror', e => complaints.push(e.message))
    page.on('request', r => { if (!r.url().startsWith(process.env.PAGE_URL)) complaints.push(`it asked ${r.url()}`) })
    await page.goto(process.env.PAGE_URL + '/' + hash)
    return page
  }
}

/** settled waits until nothing is being asked. */
export async function settled(page) {
  await page.waitForFunction(() => document.querySelectorAll('[aria-busy=true], .asking').length === 0)
}

export async function picture(page, name) {
  await page.screenshot({ path: join(process.env.PAGE_PICTURES, `${name}.png`), fullPage: true })
}

/** accessible fails for every serious fault that axe finds: WCAG 2.2, levels A and AA, and best practices. */
export async function accessible(page, where) {
  await settled(page)
  const faults = await page.evaluate(`${axe}; axe.run(document, { resultTypes: ['violations'] }).then(r =>
    r.violations.filter(v => ['serious', 'critical'].includes(v.impact)).map(v => v.id + ': ' + v.nodes.map(n => n.target + ' ' + n.failureSummary).join('; ')))`)
  assert.deepEqual(faults, [], `accessibility of ${where}`)
}

/** number reads a count as the page shows it. */
export const number = text => Number(text.replace(/[^0-9]/g, ''))

/** rows reads a table by its caption: a row is its cells' texts. */
export function rows(page, caption) {
  return page.locator(`.table[aria-label="${caption}"] tbody tr`).evaluateAll(all => all.map(row => [...row.cells].map(c => c.innerText.trim())))
}

/** lines is how many lines a file of the scenario has, without its header. */
// (the files' identifiers come first in a line, and have no commas)
export const lines = file => readFileSync(join(data, file), 'utf8').trimEnd().split('\n').length - 1

/** ids are the values of a column of a file of the scenario. */
export function ids(file, column = 'elector_id') {
  const [head, ...rest] = readFileSync(join(data, file), 'utf8').trimEnd().split('\n').map(l => l.split(','))
  return rest.map(l => l[head.indexOf(column)])
}

/** counted are the numbers that recount.sh counts in the scenario's files, by name. */
export function counted() {
  const said = execFileSync('sh', [join(data, 'recount.sh')], { encoding: 'utf8' })
  return Object.fromEntries(said.trim().split('\n').map(l => l.trim().split(/\s+/)).map(([name, n]) => [name, Number(n)]))
}
