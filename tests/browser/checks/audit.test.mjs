// The audit explorer (A14, A15, A23, A26).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { text, visit } from '../lib/browser.mjs';
import { stand } from '../lib/stand.mjs';

const here = stand({ auth: 'ann:secret' });

const login = { httpCredentials: { username: 'ann', password: 'secret' } };
const headers = { authorization: `Basic ${btoa('ann:secret')}` };
const id = async (event) => (await here.database.sql(`SELECT id FROM audit_logs WHERE event = '${event}'`))[0];
const detail = async (event) => visit(here.chromium, `${here.app.board}/audit/${await id(event)}`, login);

test('A14: what changed, exactly', async () => {
  let page = await detail('product.price.updated');
  assert.match(await text(page, 'audit-entry'), /price.*− ?120.*\+ ?150/);
  assert.equal(await text(page, 'audit-counts'), '0 added, 0 removed, 1 changed');
  await page.done();
  page = await detail('product.tagged');
  assert.equal(await text(page, 'audit-counts'), '1 added, 0 removed, 0 changed');
  await page.done();
  page = await detail('product.untagged');
  assert.equal(await text(page, 'audit-counts'), '0 added, 1 removed, 0 changed');
  await page.done();
  page = await detail('exact.numbers');
  assert.match(await page.locator('main').innerText(), /9007199254740993/);
  assert.match(await page.locator('main').innerText(), /1\.10/);
  await page.done();
  page = await detail('auth.login');
  assert.match(await page.locator('main').innerText(), /\[REDACTED\]/);
  await page.done();
});

test('A15: an export is the list', async () => {
  const filter = 'actor=user_1';
  const page = await visit(here.chromium, `${here.app.board}/audit?${filter}&limit=100`, login);
  const shown = await page.getByTestId('audit-row').evaluateAll((all) => all.map((row) => row.dataset.id));
  const stored = await here.database.sql("SELECT id FROM audit_logs WHERE actor_id = 'user_1' ORDER BY occurred_at DESC, id DESC");
  assert.deepEqual(shown, stored);
  const ndjson = await (await fetch(`${here.app.board}/audit/export.ndjson?${filter}`, { headers })).text();
  assert.deepEqual(ndjson.trim().split('\n').map((line) => JSON.parse(line).id), stored);
  const csv = await (await fetch(`${here.app.board}/audit/export.csv?${filter}`, { headers })).text();
  assert.equal(csv.trim().split('\r\n').length, stored.length + 1);
  await page.done();
});

test('A26: each look at audit events is one event', async () => {
  const views = () => here.database.number("SELECT count(*) FROM audit_logs WHERE event = 'tracevault.dashboard.viewed'");
  const one = await id('exact.numbers');
  for (const path of ['/audit', '/audit?event=order.paid', `/audit/${one}`]) {
    const seen = await views();
    const page = await visit(here.chromium, here.app.board + path, login);
    await page.waitForTimeout(1500);
    await page.locator('.skip').focus();
    await page.keyboard.press('Enter');
    await page.waitForTimeout(500);
    assert.match(page.url(), /#/, 'skipped');
    assert.equal((await views()) - seen, 1, path);
    await page.done();
  }
  const actor = await here.database.sql("SELECT DISTINCT actor_id FROM audit_logs WHERE event = 'tracevault.dashboard.viewed'");
  assert.deepEqual(actor, ['ann']);
});

test('A23: a request and its events lead to each other', async () => {
  const response = await here.app.get('/ok/linked', { 'x-request-id': 'linked-1' });
  assert.equal(response.headers.get('x-request-id'), 'linked-1');
  let row = [];
  while (row.length === 0) row = await here.database.sql("SELECT id FROM traffic_logs WHERE request_id = 'linked-1'");
  let event = [];
  while (event.length === 0) event = await here.database.sql("SELECT id FROM audit_logs WHERE request_id = 'linked-1'");
  const page = await visit(here.chromium, `${here.app.board}/requests/${row[0]}`, login);
  await page.getByTestId('audit-events').click();
  const found = await page.getByTestId('audit-row').evaluateAll((all) => all.map((one) => one.dataset.id));
  assert.deepEqual(found, event);
  await page.goto(`${here.app.board}/audit/${event[0]}`);
  await page.getByTestId('audit-request').click();
  await page.locator('#side').getByText('/ok/linked').first().waitFor();
  await page.done();
});

test('by the browser\'s clock an event still has its year and its milliseconds', async () => {
  const page = await visit(here.chromium, `${here.app.board}/audit?tz=local`, { ...login, timezoneId: 'Asia/Tokyo' });
  const first = page.getByTestId('audit-row').first().locator('time');
  const at = new Date(await first.getAttribute('datetime'));
  const exact = /^\w{3} \d\d, \d{4}, \d\d:\d\d:\d\d\.\d{3}$/;
  const told = await first.innerText();
  assert.match(told, exact);
  assert.equal(new Date(`${told} GMT+0900`).getTime(), at.getTime());
  await page.getByTestId('audit-event').first().click();
  const beside = page.locator('#audit-panel time').first();
  await beside.waitFor();
  assert.match(await beside.innerText(), exact);
  await page.goto(page.url());
  assert.match(await page.getByTestId('audit-summary').locator('time').first().innerText(), exact);
  // Days are those of UTC, whatever the clock.
  await page.goto(`${here.app.board}/audit/actor?actor=ann&tz=local`);
  assert.match(await page.getByTestId('audit-day').first().innerText(), /\d{4} \(UTC\)/);
  await page.done();
});
