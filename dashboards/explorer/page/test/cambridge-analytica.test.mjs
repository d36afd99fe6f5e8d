// A committee asks: to whom did the profiles go, was what the firm assured true, and what about the party's electors?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accessible, counted, number, open, picture, rows, settled } from './browser.mjs'

const look = open()
const files = counted()

test('to whom the profiles of Canadians went', async () => {
  const page = await look()
  await page.getByRole('button', { name: /^platform / }).click()
  await page.getByRole('button', { name: 'Show its places' }).click()
  await page.getByRole('button', { name: /^platform\/profiles\/canada / }).click()
  await page.locator('.dossier[data-at="platform/profiles/canada"]').waitFor()
  await settled(page)
  const went = new Map((await rows(page, 'Where they went on to')).map(r => [r[0], number(r[1])]))
  assert.equal(went.get('app-developer'), files.canadians_taken)
  assert.equal(went.get('analytics-firm'), files.canadians_at_firm)
  assert.equal(went.get('group-company'), files.canadians_at_group)
  assert.equal(went.get('vendor-bc'), undefined)
  await picture(page, 'canadians')
  await accessible(page, 'the dossier of a place')
})

test('what is left of what was said to be deleted, and what was used afterwards', async () => {
  const page = await look('#/flow?at=analytics-firm/incoming/developer')
  await page.locator('[data-count=destroyed]').waitFor()
  await settled(page)
  assert.equal(number(await page.locator('[data-count=destroyed]').innerText()), files.firm_received)
  const left = new Map((await rows(page, 'Copies left')).map(r => [r[0], number(r[1])]))
  assert.equal(left.get('group-company/database/mirror'), files.copies_at_group)
  assert.equal(left.get('analytics-firm/database/campaigns'), files.held_in_database)
  const [used] = await rows(page, 'Used after destruction')
  assert.deepEqual([used[2], number(used[3])], ['campaign-us/advertising/audience', files.used_after])
  await picture(page, 'assured')
})

test('as it was on the day before and on the day after the deletion', async () => {
  for (const [day, want] of [['2015-12-17', files.held_the_day_before], ['2015-12-19', files.held_the_day_after]]) {
    const page = await look(`#/flow?at=analytics-firm/incoming/developer&as_of=${day}`)
    await page.locator('[data-count=holding]').waitFor()
    await settled(page)
    assert.equal(number(await page.locator('[data-count=holding]').innerText()), want, day)
  }
})

test('where the records of the party’s electors went', async () => {
  const page = await look('#/flow?at=party-w/crm/voters')
  await settled(page)
  const went = new Map((await rows(page, 'Where they went on to')).map(r => [r[0], number(r[1])]))
  assert.equal(went.get('vendor-bc/repository/open'), files.party_electors_open)
  assert.equal(went.get('analytics-firm'), undefined)
  await page.getByRole('button', { name: 'vendor-bc/repository/open' }).first().click()
  await page.locator('.dossier[data-at="vendor-bc/repository/open"]').waitFor()
  await settled(page)
  const reached = await page.locator('[data-count=reached]').innerText()
  for (const n of [files.open_electors, files.open_emails, files.open_profiles]) assert.ok(reached.includes(n.toLocaleString('en-CA')), reached)
  await picture(page, 'repository')
  await accessible(page, 'the dossier of the repository')
})
