import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What licences and notices of a package are called. */
export const LICENCE_FILE = /^(?:licen[cs]e|copying|notice)/i;

/** Where Debian keeps the text of what most of the packages are under. */
const APACHE = '/usr/share/common-licenses/Apache-2.0';
const IS_APACHE = /Apache License\s+Version 2\.0, January 2004/;

/** What is told of each package. */
const FACTS = ['name', 'version', 'license'];

/** Returns the copyright file of the package: whose each part is, and on what terms. */
export function copyrightOf(root: string, modules: readonly string[]): string {
  const own = `isync is under the Apache License, Version 2.0, which is at ${APACHE} on
Debian. Copyright: the authors of isync.

Node.js is included as nodejs.org publishes it. What it is under, and what it
consists of, stands in the file node-copyright beside this one.

These packages are included as npm publishes them:
`;
  return `${own}\n${modules.map((path) => termsOf(root, path)).join('\n')}`;
}

function termsOf(root: string, path: string): string {
  const folder = join(root, path);
  const facts: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const texts = readdirSync(folder)
    .filter((file) => LICENCE_FILE.test(file))
    .map((file) => readFileSync(join(folder, file), 'utf8').trim())
    .map((text) => (IS_APACHE.test(text) ? apacheOf(text) : text));
  return `${'-'.repeat(78)}\n${FACTS.map((name) => factOf(facts, name)).join(' ')}\n\n${texts.join('\n\n')}\n`;
}

/** A text of package.json. */
function factOf(facts: unknown, name: string): string {
  if (typeof facts !== 'object' || facts === null) return '';
  const found = Object.entries(facts).find(([key]) => key === name)?.[1] as unknown;
  return typeof found === 'string' ? found : '';
}

/** The lines that name the holder, and where the rest stands. */
function apacheOf(text: string): string {
  const holders = text.split('\n').filter((line) => /^\s*Copyright (?!\[|notice|license|owner)/i.test(line));
  return [...holders.map((line) => line.trim()), `Apache License, Version 2.0: ${APACHE}`].join('\n');
}
