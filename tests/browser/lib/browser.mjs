// Pages that notice what nobody asserts: errors on the console, broken policies, requests to elsewhere (A4).
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

export async function browser() {
  return chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] });
}

/** A page of a context of its own; `faults` holds what went wrong by itself. `away`: answers may fail. */
export async function visit(browser, url, { away = false, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.away = away;
  page.faults = [];
  page.requests = [];
  const origin = new URL(url).origin;
  page.on('console', (message) => {
    // That a server is away is told on the console as well: checks of that say so.
    if (message.type() === 'error' && !(page.away && /Failed to load resource|ERR_/.test(message.text()))) {
      page.faults.push(`console: ${message.text()}`);
    }
  });
  page.on('pageerror', (error) => page.faults.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => {
    page.faults.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on('request', (request) => {
    page.requests.push(request.url());
    if (!request.url().startsWith('data:') && new URL(request.url()).origin !== origin) {
      page.faults.push(`elsewhere: ${request.url()}`);
    }
  });
  if (options.javaScriptEnabled !== false) {
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`);
      });
    });
  }
  const response = await page.goto(url);
  page.status = response.status();
  page.done = async () => {
    await context.close();
    assert.deepEqual(page.faults, []);
  };
  return page;
}

/** The text of a part, its white space folded. */
export async function text(page, testid) {
  return (await page.getByTestId(testid).first().innerText()).replaceAll(/\s+/g, ' ').trim();
}

/** Waits until something holds, and says how long it took. */
export async function until(what, limit, holds) {
  const start = Date.now();
  for (;;) {
    if (await holds()) return Date.now() - start;
    if (Date.now() - start > limit) assert.fail(`${what}: not within ${limit} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
