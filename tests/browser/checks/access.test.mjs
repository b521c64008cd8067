// For everybody: axe, keyboard, themes, motion, a phone (A17 to A19).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { visit } from '../lib/browser.mjs';
import { stand } from '../lib/stand.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let pages;
const here = stand({}, async () => {
  const [event] = await here.database.sql("SELECT id FROM audit_logs WHERE event = 'product.price.updated'");
  const [request] = await here.database.sql('SELECT max(id) FROM traffic_logs');
  const route = `/route?method=GET&route=${encodeURIComponent('/api/r1/{id}')}`;
  pages = ['/', '/live', '/routes', route, '/users', '/users/u1', '/errors', `/requests/${request}`, '/audit', `/audit/${event}`, '/nothing'];
});

for (const colorScheme of ['light', 'dark']) {
  test(`A17: axe finds nothing serious in ${colorScheme}`, async () => {
    const found = [];
    for (const path of pages) {
      const page = await visit(here.chromium, here.app.board + path, { colorScheme, bypassCSP: true, away: path === '/nothing' });
      await page.waitForLoadState('networkidle');
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      for (const { id, impact, nodes } of violations) {
        if (['serious', 'critical'].includes(impact)) found.push(`${path}: ${id}: ${nodes[0].html.slice(0, 160)} ${nodes[0].failureSummary}`);
      }
      await page.done();
    }
    assert.deepEqual(found, []);
  });
}

test('A17: every chart has a table', async () => {
  for (const path of ['/', pages[3]]) {
    const page = await visit(here.chromium, here.app.board + path);
    const charts = await page.locator('[data-chart]').count();
    assert.ok(charts >= 1, path);
    assert.ok((await page.locator('details table').count()) >= charts, path);
    await page.done();
  }
});

test('A17: the whole tour by keyboard', async () => {
  const page = await visit(here.chromium, `${here.app.board}/`);
  for (const [key, path] of [['l', '/live'], ['r', '/routes'], ['u', '/users'], ['e', '/errors'], ['a', '/audit'], ['o', '/']]) {
    await page.keyboard.press(key);
    await page.waitForURL((url) => url.pathname === `/traffic-dashboard${path}`);
    await page.waitForLoadState('networkidle');
  }
  await page.keyboard.press('u');
  await page.waitForURL(/\/users$/);
  await page.waitForLoadState('networkidle');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/users\/u\d/);
  await page.waitForLoadState('networkidle');
  await page.keyboard.press('r');
  await page.waitForURL(/\/routes/);
  await page.waitForLoadState('networkidle');
  await page.keyboard.press('/');
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'INPUT');
  await page.keyboard.type('ou');
  assert.match(page.url(), /\/routes/, 'a letter in a box is a letter');
  await page.keyboard.press('Escape');
  await page.keyboard.press('?');
  assert.ok(await page.locator('dialog[open]').isVisible());
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('dialog[open]').count(), 0);
  await page.keyboard.press('Tab');
  const outline = await page.evaluate(() => {
    const style = getComputedStyle(document.activeElement);
    return `${style.outlineStyle} ${style.outlineWidth} ${style.boxShadow}`;
  });
  assert.doesNotMatch(outline, /^none .* none$/, 'focus can be seen');
  await page.done();
});

test('A18: the theme stays, without a flash, and motion stops where it is not wanted', async () => {
  const page = await visit(here.chromium, `${here.app.board}/`, { colorScheme: 'light', reducedMotion: 'reduce' });
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  for (let n = 0; n < 3 && (await ground()) === light; n += 1) await page.keyboard.press('t');
  const dark = await ground();
  assert.notEqual(dark, light);
  await page.addInitScript(() => {
    new MutationObserver((_, observer) => {
      if (!document.body) return;
      globalThis.firstGround = getComputedStyle(document.body).backgroundColor;
      observer.disconnect();
    }).observe(document, { childList: true, subtree: true });
  });
  await page.reload();
  assert.equal(await page.evaluate(() => globalThis.firstGround), dark, 'from the first paint on');
  await page.goto(`${here.app.board}/live`);
  const moving = await page.evaluate(() => document.getAnimations().filter((one) => one.playState === 'running').length);
  assert.equal(moving, 0);
  await page.done();
});

test('A19: on a phone nothing is wider than the screen', async () => {
  for (const path of pages) {
    const page = await visit(here.chromium, here.app.board + path, { viewport: { width: 375, height: 800 }, away: path === '/nothing' });
    await page.waitForLoadState('networkidle');
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 375, `${path}: ${wide}`);
    await page.done();
  }
});
