import { readFile } from 'node:fs/promises';
import type { HttpHandler } from '../../http/handler.ts';

/** By the path at which they are served. They lie beside this file, in src as in dist. */
const FILES: Readonly<Record<string, string>> = {
  '/': 'page.html',
  '/page.css': 'page.css',
  '/page.js': 'page.js',
  '/feed.js': 'feed.js',
  '/report.js': 'report.js',
  '/cards.js': 'cards.js',
  '/table.js': 'table.js',
  '/window.js': 'window.js',
  '/alarms.js': 'alarms.js',
  '/dom.js': 'dom.js',
  '/chart.js': 'chart.js',
  '/text.js': 'text.js',
};

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
};

/** The handlers of the files of the page, each read once. They hold nothing of the command. */
export async function pageFiles(): Promise<Record<string, HttpHandler>> {
  const handlers = Object.entries(FILES).map(async ([path, name]) => {
    const body = await readFile(new URL(`page/${name}`, import.meta.url));
    const headers = { 'content-type': TYPES[name.split('.').at(-1) ?? ''] };
    const handler: HttpHandler = async () => ({ status: 200, headers, body });
    return [path, handler] as const;
  });
  return Object.fromEntries(await Promise.all(handlers));
}
