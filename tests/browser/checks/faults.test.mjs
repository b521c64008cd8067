// Slow, aborted, uncounted, and without a database (A22, A24, A25).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { text, until, visit } from '../lib/browser.mjs';
import { stand } from '../lib/stand.mjs';

const here = stand({});

const stored = (condition) => here.database.sql(`SELECT status_code || ' ' || is_slow FROM traffic_logs WHERE ${condition} ORDER BY id`);

test('A24: as long as the threshold is slow, and who goes away is 499', async () => {
  await Promise.all([here.app.get('/sleep/1500'), here.app.get('/sleep/1000'), here.app.get('/sleep/900')]);
  const gone = new AbortController();
  const asking = fetch(`${here.app.origin}/sleep/60000`, { signal: gone.signal }).catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 300));
  gone.abort();
  await asking;
  await until('four rows', 5000, async () => (await stored("original_url LIKE '/sleep/%'")).length === 4);
  assert.deepEqual(await stored("original_url IN ('/sleep/1500', '/sleep/1000')"), ['200 true', '200 true']);
  assert.deepEqual(await stored("original_url = '/sleep/900'"), ['200 false']);
  assert.deepEqual(await stored("original_url = '/sleep/60000'"), ['499 false']);
});

test('A22: looking at it does not count', async () => {
  const page = await visit(here.chromium, `${here.app.board}/live`);
  await page.waitForTimeout(2500);
  await page.goto(`${here.app.board}/routes`);
  await here.app.get('/ok/counted');
  await until('a row', 5000, async () => (await stored("original_url = '/ok/counted'")).length === 1);
  assert.deepEqual(await stored("original_url LIKE '/traffic-dashboard%'"), []);
  await page.done();
});

test('A25: without PostgreSQL the app serves, pages say so, counters rise, and all of it resumes', async () => {
  const page = await visit(here.chromium, `${here.app.board}/`);
  page.away = true;
  await here.database.stop();
  for (let n = 0; n < 5; n += 1) assert.equal((await here.app.get(`/ok/away-${n}`)).status, 200);
  const response = await page.goto(`${here.app.board}/routes`, { timeout: 60000 });
  assert.equal(response.status(), 503);
  assert.match(await text(page, 'failed-panel'), /database/i);
  const other = await visit(here.chromium, `${here.app.board}/errors`, { away: true });
  assert.equal(other.status, 503);
  await until('a counter rises', 30000, async () => {
    await page.goto(`${here.app.board}/routes`, { timeout: 60000 });
    return !/^0 /.test(await text(page, 'failed'));
  });
  await here.database.start();
  await until('it is back', 20000, async () => (await page.goto(`${here.app.board}/routes`, { timeout: 60000 })).status() === 200);
  // A page that said so comes back by itself.
  await other.getByTestId('classes').waitFor({ timeout: 10000 });
  await other.done();
  await here.app.get('/ok/back');
  await until('a row', 10000, async () => (await stored("original_url = '/ok/back'")).length === 1);
  await page.done();
});
