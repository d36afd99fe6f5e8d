// Investigators have a list out of an app: which issued copy is it, by which route did it get there, who has seen it?
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { accessible, counted, data, number, open, picture, rows, settled } from './browser.mjs'

const look = open()
const files = counted()

test('which copy the found list is', async () => {
  const page = await look('#/found')
  await page.getByLabel('List (CSV, TSV)').setInputFiles(join(data, 'investigators/found.csv'))
  await page.getByLabel('Column with the identifiers').fill('elector_id')
  await page.getByRole('button', { name: 'Compare' }).click()
  await page.locator('[data-count=found]').waitFor()
  await settled(page)
  const seedings = await rows(page, 'Copies whose invented entries are in the list')
  assert.deepEqual(seedings.map(s => [s[0], number(s[2]), number(s[3])]), [['party-r/lists/issued.csv', files.seeds_for_party_r, files.found_of_party_r]])
  const copies = await rows(page, 'Copies that it can have come from, the most likely first')
  const other = copies.find(c => c[0].startsWith('party-s/lists/issued.csv'))
  assert.equal(number(other[2]), files.electors_of_party_s)
  assert.ok(copies[0][3].startsWith(String(files.found_of_party_r)), copies[0].join())
  await picture(page, 'copy')
  await accessible(page, 'a found list with invented entries')
})

test('by which route it got into the app, and who has seen it', async () => {
  const page = await look()
  await page.getByRole('button', { name: /^group-c / }).click()
  await page.getByRole('button', { name: 'Show its places' }).click()
  await page.getByRole('button', { name: /^group-c\/app\/search / }).click()
  await page.locator('.dossier[data-at="group-c/app/search"]').waitFor()
  await settled(page)
  const from = new Map((await rows(page, 'Where they came from')).map(r => [r[0], number(r[1])]))
  assert.equal(from.get('party-r'), files.reached_app)
  assert.equal(from.get('party-s'), undefined)
  assert.equal(number(await page.locator('[data-count=destroyed]').innerText()), files.destroyed_in_app)
  const left = new Map((await rows(page, 'Copies left')).map(r => [r[0], number(r[1])]))
  assert.deepEqual(left, new Map([['viewers/people/v0001', files.seen_by_v0001], ['viewers/people/v0002', files.seen_by_v0002]]))
  await picture(page, 'app')
  await page.getByRole('button', { name: 'viewers', exact: true }).first().click()
  await page.locator('.dossier[data-at="viewers"]').waitFor()
  await settled(page)
  assert.equal(number(await page.locator('[data-count=reached]').innerText()), files.seen_by_anybody)
})

test('what stands out', async () => {
  const page = await look('#/findings')
  await page.locator('[data-count=findings]').waitFor()
  await settled(page)
  await picture(page, 'findings')
  await accessible(page, 'the findings')
})
