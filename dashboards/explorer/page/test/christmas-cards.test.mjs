// Somebody asks: how many addresses on the Christmas cards came out of the party's database, who pulled them, and is a
// copy left?
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { accessible, data, ids, lines, number, open, picture, rows, settled } from './browser.mjs'

const look = open()

test('the flow shows organisations first, with counts', async () => {
  const page = await look()
  await page.getByRole('button', { name: /^party-a / }).waitFor()
  await settled(page)
  const flows = await rows(page, 'Flows')
  assert.deepEqual(flows.map(f => [f[0], f[1]]), [['elections-office', 'party-a'], ['party-a', 'lantern-print'], ['public', 'party-a']])
  assert.equal(number(flows[1][2]), lines('lantern-print/christmas-cards.csv'))
  assert.equal(number(flows[0][2]), lines('elections-office/list-of-electors.csv'))
  await picture(page, 'flow')
  await accessible(page, 'the flow')
})

test('how many addresses were pulled, by whom, and what is left of them', async () => {
  const page = await look()
  await page.getByRole('button', { name: /^party-a / }).click()
  await page.getByRole('button', { name: 'Show its places' }).click()
  await page.getByRole('button', { name: /^party-a\/files\/addresses-from-hq\.csv / }).click()
  await page.locator('.dossier[data-at="party-a/files/addresses-from-hq.csv"]').waitFor()
  await settled(page)
  const pulled = lines('party-a/addresses-from-hq.csv')
  assert.equal(number(await page.locator('[data-count=reached]').innerText()), pulled)
  assert.equal(number(await page.locator('[data-count=destroyed]').innerText()), pulled)
  assert.match(await page.locator('.movements').first().innerText(), /by party-a\/people\/u0412/)
  const left = await rows(page, 'Copies left')
  const printed = new Set(ids('lantern-print/christmas-cards.csv'))
  const still = ids('party-a/addresses-from-hq.csv').filter(id => printed.has(id)).length
  assert.deepEqual(left.map(r => [r[0], number(r[1])]), [['lantern-print/uploads/christmas-cards.csv', still]])
  await picture(page, 'pulled')
  await accessible(page, 'a dossier')
})

test('the slider goes back to before anything had reached the printer', async () => {
  const page = await look('#/flow?at=lantern-print')
  await settled(page)
  assert.equal(number(await page.locator('[data-count=holding]').innerText()), lines('lantern-print/christmas-cards.csv'))
  await page.getByRole('slider').focus()
  await page.keyboard.press('Home')
  await page.waitForFunction(() => location.hash.includes('as_of='))
  await page.getByRole('button', { name: /^lantern-print / }).waitFor({ state: 'detached' })
  await settled(page)
  assert.equal(await page.locator('[data-count=holding]').innerText(), 'none recorded')
  assert.deepEqual((await rows(page, 'Flows')).map(f => [f[0], f[1], number(f[2])]), [['public', 'party-a', lines('party-a/sign-ups.csv')]])
  await picture(page, 'before')
})

test('by the keyboard alone', async () => {
  const page = await look()
  await page.getByRole('button', { name: /^party-a / }).focus()
  await page.keyboard.press('Enter')
  await page.locator('.dossier h2').waitFor()
  assert.equal(await page.locator('.dossier h2').innerText(), 'party-a')
})

test('one elector, whose identifier is in no address', async () => {
  const page = await look('#/elector')
  const [id] = ids('party-a/addresses-from-hq.csv')
  const asked = []
  page.on('request', r => asked.push(r.url()))
  await page.getByLabel('Identifier', { exact: true }).fill(id)
  await page.getByRole('button', { name: 'Look up' }).click()
  await page.locator('[data-count=organisations]').waitFor()
  await settled(page)
  const printed = new Set(ids('lantern-print/christmas-cards.csv')).has(id)
  const places = await rows(page, 'Places')
  assert.equal(places.find(p => p[0] === 'party-a/files/addresses-from-hq.csv')?.[1], 'no')
  assert.equal(places.find(p => p[0] === 'lantern-print/uploads/christmas-cards.csv')?.[1], printed ? 'yes' : undefined)
  assert.ok(!page.url().includes(id) && !asked.some(url => url.includes(id)), 'the identifier is in an address')
  await picture(page, 'elector')
  await accessible(page, 'an elector')
})

test('a found list', async () => {
  const page = await look('#/found')
  await page.getByLabel('List (CSV, TSV)').setInputFiles(join(data, 'lantern-print/christmas-cards.csv'))
  await page.getByLabel('Column with the identifiers').fill('elector_id')
  await page.getByRole('button', { name: 'Compare' }).click()
  await page.locator('[data-count=found]').waitFor()
  await settled(page)
  const copies = await rows(page, 'Copies that it can have come from, the most likely first')
  assert.ok(copies.slice(0, 2).some(c => c[0].startsWith('lantern-print/uploads/christmas-cards.csv')), String(copies[0]))
  assert.equal(copies[0][3], '100 %')
  await picture(page, 'found')
  await accessible(page, 'a found list')
})

test('in French, and in the dark', async () => {
  const page = await look('#/flow?at=party-a', { locale: 'fr-CA', colorScheme: 'dark' })
  await page.getByRole('heading', { name: 'Où elles sont allées ensuite' }).waitFor()
  assert.equal(await page.locator('html').getAttribute('lang'), 'fr')
  await picture(page, 'french-dark')
  await accessible(page, 'the flow in French and in the dark')
  await page.getByRole('button', { name: 'Language: English' }).click()
  await page.getByRole('heading', { name: 'Where they went on to' }).waitFor()
})

test('on a small screen', async () => {
  const page = await look('#/flow?at=party-a', { viewport: { width: 390, height: 800 } })
  await settled(page)
  await page.locator('.dossier h2').waitFor()
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'it is wider than the screen')
  await picture(page, 'small')
})
