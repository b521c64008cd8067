// The numbers of a page are those of SQL, and the URL is the page's state (A5 to A8).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { text, visit } from '../lib/browser.mjs';
import { stand } from '../lib/stand.mjs';

const here = stand({});

/** The last 24 hours, to the second, so that all askers mean the same. */
function day() {
  const to = new Date(Math.floor(Date.now() / 1000) * 1000);
  const from = new Date(to - 24 * 3600 * 1000);
  const iso = (at) => at.toISOString().replace('.000Z', 'Z');
  return { query: `?from=${iso(from)}&to=${iso(to)}`, where: `started_at >= '${iso(from)}' AND started_at < '${iso(to)}'` };
}

const value = async (page, testid) => Number(await page.getByTestId(testid).getAttribute('data-value'));

test('A5: each tile is what the API says, and what SQL counts', async () => {
  const { query, where } = day();
  const page = await visit(here.chromium, `${here.app.board}/${query}`);
  const overview = await here.app.api(`/overview${query}`);
  const count = (condition) => here.database.number(`SELECT count(*) FROM traffic_logs WHERE ${where} AND ${condition}`);
  const total = await count('true');
  assert.ok(total > 900, `${total}`);
  const errors = await count('status_code >= 400');
  const slow = await count('is_slow');
  const users = await here.database.number(`SELECT count(DISTINCT user_id) FROM traffic_logs WHERE ${where}`);
  const p95 = (await here.database.number(`SELECT percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_us) FROM traffic_logs WHERE ${where}`)) / 1000;
  assert.equal(overview.totalRequests, total);
  assert.equal(await value(page, 'kpi-requests'), total);
  assert.equal(overview.errorRequestCount, errors);
  assert.ok(Math.abs((await value(page, 'kpi-errors')) - errors / total) < 0.00001);
  assert.equal(await value(page, 'kpi-slow'), slow);
  assert.equal(overview.slowRequestCount, slow);
  assert.equal(await value(page, 'kpi-users'), users);
  assert.equal(overview.uniqueUsers, users);
  assert.ok(Math.abs((await value(page, 'kpi-p95')) - overview.p95Ms) < 0.001);
  assert.ok(Math.abs(overview.p95Ms - p95) <= p95 / 10, `${overview.p95Ms} beside ${p95}`);
  assert.equal(await value(page, 'kpi-active'), overview.activeUsersLastFiveMinutes);
  assert.match(await text(page, 'kpi-requests'), new RegExp(String(total).replace(/(\d)(?=(\d{3})+$)/g, '$1.?')));
  await page.done();
});

test('A6: the range is in the URL; reload, another browser and Back show the same', async () => {
  const page = await visit(here.chromium, `${here.app.board}/`);
  const before = page.url();
  await page.getByTestId('ranges').getByText('7d', { exact: true }).click();
  await page.waitForURL(/range=7d/);
  const seen = await value(page, 'kpi-requests');
  assert.equal(seen, await here.database.number("SELECT count(*) FROM traffic_logs WHERE started_at > now() - interval '7 days'"));
  await page.reload();
  assert.equal(await value(page, 'kpi-requests'), seen);
  const other = await visit(here.chromium, page.url());
  assert.equal(await value(other, 'kpi-requests'), seen);
  await other.done();
  await page.goBack();
  assert.equal(page.url(), before);
  await page.done();
});

test('A7: a status that is clicked becomes a filter; its chip takes it away', async () => {
  const page = await visit(here.chromium, `${here.app.board}/`);
  await page.getByTestId('class-links').getByText('5xx').click();
  await page.waitForURL(/status=5xx/);
  assert.equal(await page.getByTestId('chip-status').count(), 1);
  assert.match(page.url(), /\/errors\?/);
  const shown = await page.getByTestId('table-latest').locator('.code').allInnerTexts();
  assert.ok(shown.length > 5 && shown.every((status) => status.startsWith('5')), `${shown}`);
  await page.getByTestId('chip-status').getByRole('link').click();
  assert.equal(await page.getByTestId('chip-status').count(), 0);
  assert.doesNotMatch(page.url(), /status=/);
  await page.done();
});

test('A8: a drag on the chart is a stretch of time', async () => {
  const page = await visit(here.chromium, `${here.app.board}/`);
  const plot = page.locator('.u-over').first();
  await plot.waitFor();
  const box = await plot.boundingBox();
  await page.mouse.move(box.x + box.width * 0.3, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 2, { steps: 5 });
  await page.mouse.up();
  await page.waitForURL(/from=.*to=/);
  const url = new URL(page.url());
  const hours = (new Date(url.searchParams.get('to')) - new Date(url.searchParams.get('from'))) / 3600000;
  assert.ok(hours > 5 && hours < 10, `${hours} of 24 hours`);
  await page.done();
});
