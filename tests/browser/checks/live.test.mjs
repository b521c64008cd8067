// New requests come by themselves, in each mode (A9 to A11).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { text, until, visit } from '../lib/browser.mjs';
import { stand } from '../lib/stand.mjs';

const here = stand();

const rows = (page) => page.locator('#livelist tbody tr');
const ids = (page) => rows(page).locator('.time a').evaluateAll((all) => all.map((link) => link.pathname));
const shows = (page, path) => rows(page).filter({ hasText: path }).count();

for (const [mode, limit] of [['poll', 3000], ['sse', 1000], ['sse-pg', 1000]]) {
  test(`A9: by ${mode} three requests are there within ${limit} ms, also from another process where that is promised`, async () => {
    const one = await here.start({ mode });
    const other = mode === 'sse' ? one : await here.start({ mode });
    const page = await visit(here.chromium, `${one.board}/live`);
    await until('live', 5000, async () => /live|polling/i.test(await text(page, 'state')));
    for (const name of ['a', 'b', 'c']) await other.get(`/ok/${mode}-${name}`);
    const took = await until('three rows', limit, async () => (await shows(page, `/ok/${mode}-`)) === 3);
    console.log(`${mode}: ${took} ms`);
    const all = await ids(page);
    assert.equal(new Set(all).size, all.length);
    await page.done();
  });
}

test('A10: a pause asks for nothing; going on shows what was missed, once', async () => {
  const one = await here.start();
  const page = await visit(here.chromium, `${one.board}/live`);
  await until('live', 5000, async () => /polling/i.test(await text(page, 'state')));
  await page.keyboard.press('p');
  await until('paused', 2000, async () => /paused/i.test(await text(page, 'state')));
  await page.waitForTimeout(300);
  const asked = page.requests.length;
  for (let n = 0; n < 4; n += 1) await one.get(`/ok/missed-${n}`);
  await page.evaluate(() => {
    window.dispatchEvent(new Event('blur'));
    window.dispatchEvent(new Event('focus'));
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await page.waitForTimeout(5000);
  assert.equal(page.requests.length, asked, 'nothing is asked for while paused');
  await page.keyboard.press(' ');
  await until('what was missed', 4000, async () => (await shows(page, '/ok/missed-')) === 4);
  await page.waitForTimeout(2500);
  assert.equal(await shows(page, '/ok/missed-'), 4);
  await page.done();
});

for (const mode of ['poll', 'sse']) {
  test(`A11: by ${mode} a server that was killed is missed, and found again`, async () => {
    let one = await here.start({ mode });
    const page = await visit(here.chromium, `${one.board}/live`);
    page.away = true;
    await until('live', 5000, async () => /live|polling/i.test(await text(page, 'state')));
    await one.get(`/ok/${mode}-before`);
    await until('a row', 4000, async () => (await shows(page, `/ok/${mode}-before`)) === 1);
    const { port } = one;
    await one.end();
    await until('reconnecting', 10000, async () => /reconnecting/i.test(await text(page, 'state')));
    one = await here.start({ mode, port });
    await one.get(`/ok/${mode}-after`);
    await until('a row after it', 15000, async () => (await shows(page, `/ok/${mode}-after`)) === 1);
    const all = await ids(page);
    assert.equal(new Set(all).size, all.length, 'no row twice');
    await page.done();
  });
}

test('A11: of six hundred rows five hundred are kept', async () => {
  const one = await here.start();
  const page = await visit(here.chromium, `${one.board}/live`);
  await until('live', 5000, async () => /polling/i.test(await text(page, 'state')));
  for (let n = 0; n < 600; n += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, at) => one.get(`/ok/many-${n + at}`)));
  }
  await until('the last row', 15000, async () => (await shows(page, '/ok/many-')) >= 450);
  await page.waitForTimeout(2500);
  assert.equal(await rows(page).count(), 500);
  await page.done();
});

test('who comes back after long asks for what is kept, not for all of it', async () => {
  const one = await here.start();
  const page = await visit(here.chromium, `${one.board}/live`);
  await until('live', 5000, async () => /polling/i.test(await text(page, 'state')));
  await page.keyboard.press('p');
  await until('paused', 2000, async () => /paused/i.test(await text(page, 'state')));
  await here.database.sql(`INSERT INTO traffic_logs (started_at, ended_at, method, route, original_url, status_code, duration_us, is_slow)
    SELECT now(), now(), 'GET', '/ok/{name}', '/ok/long-' || n, 200, 1000, false FROM generate_series(1, 5000) AS n`);
  await page.waitForTimeout(5500);
  const asked = page.requests.length;
  await page.keyboard.press('p');
  await until('the newest', 4000, async () => (await shows(page, '/ok/long-5000')) === 1);
  assert.equal(await rows(page).count(), 500);
  assert.ok(page.requests.length - asked <= 3, `${page.requests.length - asked} requests`);
  await page.done();
});

test('a list of one route has no stream, and says nothing on the console of it', async () => {
  const one = await here.start({ mode: 'sse' });
  const page = await visit(here.chromium, `${one.board}/live?route=${encodeURIComponent('/ok/{name}')}`);
  await one.get('/ok/of-a-route');
  await until('a row', 4000, async () => (await shows(page, '/ok/of-a-route')) === 1);
  assert.deepEqual(page.requests.filter((url) => url.includes('/api/stream')), []);
  await page.done();
});

test('the end of a stream after half a minute is no news', async () => {
  const one = await here.start({ mode: 'sse' });
  const page = await visit(here.chromium, `${one.board}/live`);
  await until('live', 5000, async () => /live/i.test(await text(page, 'state')));
  await page.evaluate(() => {
    window.said = [];
    const state = document.querySelector('#state');
    new MutationObserver(() => window.said.push(state.textContent)).observe(state, { childList: true, characterData: true, subtree: true });
  });
  const streams = () => page.requests.filter((url) => url.includes('/api/stream')).length;
  await until('another stream', 35000, async () => streams() === 2);
  await one.get('/ok/another-stream');
  await until('a row', 1500, async () => (await shows(page, '/ok/another-stream')) === 1);
  assert.deepEqual(await page.evaluate(() => window.said), []);
  await page.done();
});
