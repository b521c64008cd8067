// One user, hostile text, and what is not collected (A12, A13).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { text, visit } from '../lib/browser.mjs';
import { stand } from '../lib/stand.mjs';

const here = stand({});

test('A12: a user has seven parts; what is not collected says so', async () => {
  const page = await visit(here.chromium, `${here.app.board}/users/u1`);
  assert.equal(await page.locator('h1').innerText(), 'User 1');
  assert.match(await text(page, 'user-head'), /u1.*u1@example\.com/);
  for (const part of ['routes', 'slow', 'errors', 'devices', 'ips', 'sessions']) {
    assert.equal(await page.getByTestId(`tab-${part}`).count(), 1, part);
    assert.equal(await page.getByTestId(`panel-${part}`).count(), 1, part);
  }
  assert.equal(await page.getByTestId('tab-audit').count(), 1);
  assert.match(await text(page, 'panel-ips'), /not collected/i);
  assert.doesNotMatch(await text(page, 'panel-devices'), /not collected/i);
  const shown = await here.app.api('/users/u1');
  assert.deepEqual(
    ['user', 'routes', 'slowRoutes', 'errorRoutes', 'devices', 'ipAddresses', 'sessions'].filter((key) => !(key in shown)),
    [],
  );
  await page.done();
});

test('A13: hostile text is text', async () => {
  const user = encodeURIComponent('<script>alert(1)</script>');
  for (const path of ['/?range=7d', '/live', '/routes?range=7d', '/users?range=7d', `/users/${user}?range=7d`, '/errors?range=7d', '/audit']) {
    const page = await visit(here.chromium, here.app.board + path);
    await page.waitForLoadState('networkidle');
    if (!['/?range=7d', '/live', '/errors?range=7d'].includes(path)) {
      assert.match(await page.locator('main').innerText(), /<script>alert\(1\)<\/script>|<img src=x onerror=alert\(1\)>/, path);
    }
    assert.equal(await page.locator('img[src="x"]').count(), 0);
    await page.done();
  }
  const event = await here.database.sql("SELECT id FROM audit_logs WHERE event LIKE '<script>%'");
  const page = await visit(here.chromium, `${here.app.board}/audit/${event[0]}`);
  assert.match(await page.locator('main').innerText(), /<img src=x onerror=alert\(1\)>/);
  await page.done();
  const csv = await (await fetch(`${here.app.board}/audit/export.csv`)).text();
  assert.ok(csv.includes(`"'=HYPERLINK(""x"")"`), 'a formula is text');
  for (const cell of [`'@user`, `'+1`, `'-1`]) assert.ok(csv.includes(cell), cell);
});
