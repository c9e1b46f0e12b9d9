import { createServer } from 'node:http';
import { once } from 'node:events';
import axe, { type AxeResults } from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, openPage, seen } from '../../harness/browser.ts';
import { lacks } from '../../harness/tools.ts';
import { SampleBoard, serveBoard } from './status-sample.ts';

const SIZES: readonly (readonly [string, BrowserContextOptions])[] = [
  ['light', { colorScheme: 'light', viewport: { width: 1200, height: 900 } }],
  ['dark', { colorScheme: 'dark', viewport: { width: 1200, height: 900 } }],
  ['light, 360 px wide', { colorScheme: 'light', viewport: { width: 360, height: 740 } }],
  ['dark, 360 px wide', { colorScheme: 'dark', viewport: { width: 360, height: 740 } }],
];

describe.skipIf(lacks('chromium'))('who can use the status page', () => {
  let browser: Browser;
  beforeAll(async () => {
    // Names that an attacker's DNS would lead here.
    browser = await launchBrowser('MAP *.example 127.0.0.1');
  });
  afterAll(async () => {
    await browser.close();
  });

  it.each(SIZES)('is anybody, as far as axe can tell: %s', async (_, options) => {
    const board = new SampleBoard(100);
    const port = await (async () => {
      await using server = await serveBoard(board);
      await using opened = await openPage(browser, options);
      const { page } = opened;
      await page.goto(server.url);
      await seen(page, '#alarms-title', 'Nothing needs a person');
      expect(await flaws(page)).toEqual([]);
      board.raiseSamples();
      await seen(page, '#alarms-title', '2 things need a person');
      await page.getByRole('columnheader', { name: 'Rate' }).getByRole('button').click();
      expect(await flaws(page)).toEqual([]);
      const widths = await page.evaluate('[document.documentElement.scrollWidth, innerWidth]');
      expect(widths).toEqual([options.viewport?.width, options.viewport?.width]);
      await server[Symbol.asyncDispose]();
      await seen(page, '#link', 'Not connected');
      expect(await flaws(page)).toEqual([]);
      return Number(new URL(server.url).port);
    })();
    await using guarded = await serveBoard(board, { token: 'secret', listen: { host: '127.0.0.1', port } });
    await using opened = await openPage(browser, options);
    await opened.page.goto(guarded.url);
    await seen(opened.page, '#login', 'A token is needed');
    expect(await flaws(opened.page)).toEqual([]);
  });

  it('is who knows the token, for as long as the tab is open', async () => {
    const board = new SampleBoard(3);
    await using server = await serveBoard(board, {
      listen: { host: '0.0.0.0', port: 0 },
      token: 'right-token',
    });
    const url = server.url.replace('0.0.0.0', '127.0.0.1');
    await using opened = await openPage(browser);
    const { page, faults } = opened;
    await page.goto(url);
    await seen(page, '#login', 'A token is needed');
    expect(await page.content()).not.toContain('/srv/backup');
    expect(await page.evaluate('document.activeElement.id')).toBe('token');
    await page.keyboard.type('wrong-token');
    await page.keyboard.press('Enter');
    await seen(page, '#login-text', 'That is not the token');
    await page.getByLabel('Token').fill(' right-token ');
    await page.getByRole('button', { name: 'Show the status' }).click();
    await seen(page, '#subject', '/srv/backup');
    expect(page.url()).toBe(`${url}/`);
    expect(await page.context().cookies()).toEqual([]);
    await page.reload();
    await seen(page, '#subject', '/srv/backup');
    const other = await page.context().newPage();
    await other.goto(url);
    await seen(other, '#login', 'A token is needed');
    expect(faults.filter((fault) => !fault.includes('401'))).toEqual([]);
  });

  it('is no page of another site, nor of another port, nor one that calls this machine by its own name', async () => {
    const board = new SampleBoard(3);
    await using server = await serveBoard(board);
    const { port } = new URL(server.url);
    const evil = createServer((_, response) => {
      response.setHeader('content-type', 'text/html');
      response.end(
        `<!doctype html><title>evil</title><script>${ATTACK.replaceAll('VICTIM', server.url)}</script>`,
      );
    });
    evil.listen(0, '127.0.0.1');
    await once(evil, 'listening');
    const address = evil.address();
    const evilPort = typeof address === 'object' ? address?.port : undefined;
    try {
      for (const origin of [`http://evil.example:${evilPort}`, `http://localhost:${evilPort}`]) {
        await using opened = await openPage(browser);
        const { page } = opened;
        await page.goto(origin);
        await expect.poll(() => page.evaluate('globalThis.over'), { timeout: 60_000 }).toBe(true);
        expect([origin, await page.evaluate('globalThis.read')]).toEqual([origin, []]);
      }
    } finally {
      evil.close();
      evil.closeAllConnections();
    }
    await using rebound = await openPage(browser);
    for (const path of ['/', '/status.json', '/metrics', '/events']) {
      const answer = await rebound.page.goto(`http://evil.example:${port}${path}`);
      expect([path, answer?.status()]).toEqual([path, 421]);
    }
    // By a link from there one gets here, though.
    await using linked = await openPage(browser);
    await linked.page.goto(`${server.url}/`);
    await seen(linked.page, '#link', 'Live');
  });
});

/** What a page of somebody else can try; `read` has what it could read, and `over` tells that it is through. */
const ATTACK = `
globalThis.read = [];
const got = (how) => globalThis.read.push(how);
const paths = ['/status.json', '/events', '/metrics', '/readyz', '/'];
const tries = paths.flatMap((path) => [
  fetch('VICTIM' + path).then(() => got('fetch ' + path), () => 0),
  fetch('VICTIM' + path, { headers: { authorization: 'Bearer x' } }).then(() => got('fetch with token ' + path), () => 0),
  fetch('VICTIM' + path, { mode: 'no-cors' }).then((r) => r.type === 'opaque' && r.body !== null && got('no-cors ' + path), () => 0),
  new Promise((done) => {
    const script = document.createElement('script');
    script.src = 'VICTIM' + path;
    script.onload = () => { got('script ' + path); done(); };
    script.onerror = done;
    document.head.append(script);
  }),
  new Promise((done) => {
    const image = new Image();
    image.onload = () => { got('image ' + path); done(); };
    image.onerror = done;
    image.src = 'VICTIM' + path;
  }),
]);
tries.push(new Promise((done) => {
  const events = new EventSource('VICTIM/events');
  events.onopen = () => { got('events'); done(); };
  events.onerror = () => { events.close(); done(); };
}));
tries.push(new Promise((done) => {
  const frame = document.createElement('iframe');
  frame.src = 'VICTIM/';
  frame.onload = () => {
    try { if (frame.contentDocument?.getElementById('main')) got('frame'); } catch {}
    if (frame.contentWindow.length > 0) got('frames in a frame');
    done();
  };
  document.documentElement.append(frame);
}));
Promise.all(tries).then(() => { globalThis.over = true; });
`;

/** What axe finds to be serious or critical, and where. */
async function flaws(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<AxeResults>('axe.run(document)');
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary}`),
    );
}
