import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';
import { isRoot } from './gaps.ts';

/** Debian's, of the package `chromium`. */
const CHROMIUM = '/usr/bin/chromium';

/** @param rules for names, as of `--host-resolver-rules` */
export async function launchBrowser(rules = ''): Promise<Browser> {
  const args = [`--host-resolver-rules=${rules}`, '--force-device-scale-factor=1'];
  // Its sandbox refuses root.
  if (isRoot) args.push('--no-sandbox');
  return await chromium.launch({ executablePath: CHROMIUM, args });
}

export interface WatchedPage extends AsyncDisposable {
  readonly page: Page;
  /** Errors of the page, and what its console said of its own faults. */
  readonly faults: string[];
}

/** A page in a context of its own, so that it shares neither cookies nor storage with another. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(message.text());
  });
  page.on('dialog', (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return { page, faults, [Symbol.asyncDispose]: () => context.close() };
}

/** Waits until the first element of `selector` shows `text`. */
export async function seen(page: Page, selector: string, text: string): Promise<void> {
  await expect.poll(() => page.locator(selector).first().innerText()).toContain(text);
}
