// What a file of checks stands on: a database, a browser, and apps, all of which end with it.
import { after, before } from 'node:test';
import { browser } from './browser.mjs';
import { App, Database } from './fixture.mjs';

/** With `first`, `here.app` is an app with these options; `here.start` makes others. `also` is done before the checks. */
export function stand(first, also) {
  const apps = [];
  const here = {
    async start(options) {
      const app = await App.start(here.database, options);
      apps.push(app);
      return app;
    },
  };
  before(async () => {
    [here.database, here.chromium] = await Promise.all([Database.start(), browser()]);
    if (first) here.app = await here.start(first);
    await also?.();
  });
  after(async () => {
    await here.chromium?.close();
    await Promise.all(apps.map((app) => app.end()));
    await here.database?.end();
  });
  return here;
}
