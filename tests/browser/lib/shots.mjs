// Starts the demo, looks at it, and ends it.
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { browser } from './browser.mjs';

const folder = process.argv[2];
const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL('../../../target', import.meta.url));
const demo = spawn(`${target}/debug/examples/traffic_dashboard`, ['--demo'], { env: { ...process.env, PORT: '0' } });
const board = await new Promise((resolve, reject) => {
  let said = '';
  demo.stdout.on('data', (data) => {
    said += data;
    const found = said.match(/http:\/\/127\.0\.0\.1:\d+\/traffic-dashboard/);
    if (found) resolve(found[0]);
  });
  demo.once('exit', () => reject(new Error(said)));
});
mkdirSync(folder, { recursive: true });
const chromium = await browser();
const httpCredentials = { username: 'admin', password: 'password' };
try {
  for (const [name, path, colorScheme] of [
    ['overview', '/', 'light'],
    ['live', '/live', 'dark'],
    ['audit', '/audit', 'light'],
  ]) {
    const context = await chromium.newContext({ viewport: { width: 1280, height: 860 }, httpCredentials, colorScheme });
    const page = await context.newPage();
    await page.goto(board + path);
    // Live needs a moment to have something to show.
    await page.waitForTimeout(name === 'live' ? 6000 : 800);
    await page.screenshot({ path: `${folder}/${name}.png` });
    await context.close();
  }
} finally {
  await chromium.close();
  demo.kill('SIGINT');
}
