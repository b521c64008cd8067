// Who gets in, where it is mounted, what it loads (A1, A3, A4, A20, A21).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { visit } from '../lib/browser.mjs';
import { stand } from '../lib/stand.mjs';

const PAGES = ['', '/', '/live', '/routes', '/users', '/users/u1', '/errors', '/audit'];
const here = stand();

test('A1: without the credentials nothing is answered', async () => {
  const { board } = await here.start({ auth: 'admin:se:cret' });
  const calls = ['/api/config', '/api/overview', '/api/stream', '/api/audit', '/audit/export.csv', '/audit/export.ndjson'];
  for (const path of [...PAGES, ...calls]) {
    for (const credentials of [undefined, 'admin:wrong', 'other:se:cret', 'admin:se']) {
      const headers = credentials ? { authorization: `Basic ${btoa(credentials)}` } : {};
      const response = await fetch(board + path, { headers });
      assert.equal(response.status, 401, path);
      assert.match(response.headers.get('www-authenticate') ?? '', /^Basic /, path);
      assert.doesNotMatch(await response.text(), /href=|requests/i, path);
    }
  }
  const page = await visit(here.chromium, board, { httpCredentials: { username: 'admin', password: 'se:cret' } });
  assert.equal(page.status, 200);
  await page.done();
});

for (const base of ['/traffic-dashboard', '/x/y', '/']) {
  test(`A3, A4: mounted at ${base}, every link, asset and call answers`, async () => {
    const one = await here.start({ base });
    const seen = new Set();
    for (const path of PAGES) {
      if (base === '/' && path === '') continue;
      const page = await visit(here.chromium, one.board + path);
      assert.equal(page.status, 200, path);
      await page.waitForLoadState('networkidle');
      for (const url of page.requests) {
        if (!url.startsWith('data:')) assert.ok(url.startsWith(one.board), url);
      }
      const links = await page.locator('a[href]').evaluateAll((all) => all.map((link) => link.href));
      links.map((link) => link.split('#')[0]).forEach((link) => seen.add(link));
      await page.done();
    }
    assert.ok(seen.size > 30, `${seen.size} links`);
    for (const link of seen) {
      assert.ok(link.startsWith(one.board), link);
      const response = await fetch(link);
      assert.equal(response.status, 200, link);
      await response.body.cancel();
    }
  });
}

test('A20: without JavaScript pages, details and paging work', async () => {
  const { board } = await here.start();
  for (const path of PAGES) {
    const page = await visit(here.chromium, board + path, { javaScriptEnabled: false });
    assert.equal(page.status, 200, path);
    await page.done();
  }
  const page = await visit(here.chromium, `${board}/audit?limit=10`, { javaScriptEnabled: false });
  const ids = new Set();
  for (let pages = 0; pages < 10; pages += 1) {
    const rows = await page.getByTestId('audit-row').all();
    for (const row of rows) ids.add(await row.getAttribute('data-id'));
    const next = page.getByTestId('audit-next');
    if ((await next.count()) === 0) break;
    await next.first().click();
  }
  assert.ok(ids.size >= 40, `${ids.size} events by paging`);
  await page.getByTestId('audit-event').first().click();
  assert.equal(await page.getByTestId('audit-detail').count(), 1);
  await page.done();
});

test('A21: what a browser can load is at most 90 KB', async () => {
  const { board } = await here.start();
  const sizes = new Map();
  for (const path of PAGES) {
    const page = await visit(here.chromium, board + path);
    await page.waitForLoadState('networkidle');
    for (const url of page.requests.filter((asked) => asked.includes('/assets/'))) {
      if (!sizes.has(url)) sizes.set(url, (await (await fetch(url)).arrayBuffer()).byteLength);
    }
    await page.done();
  }
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  console.log(`${total} bytes in ${sizes.size} files`);
  assert.ok(sizes.size >= 2 && total <= 90 * 1024, `${total} bytes`);
});
