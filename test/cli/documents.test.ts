import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { below, type OptionTable } from '../../src/cli/command.ts';
import { COMMANDS } from '../../src/cli/commands/list.ts';
import { DEFAULT_IGNORE } from '../../src/model/default-ignore.ts';
import { ALARMS } from '../../src/observe/status/alarm-table.ts';
import { ERRORS } from '../../src/model/error-table.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const README = read('README.md');
const OPERATIONS = read('docs/operations.md');

/** Of each command, and of those below it. */
const tables: readonly OptionTable[] = COMMANDS.flatMap(function tablesOf(entry): OptionTable[] {
  const own = 'options' in entry ? [entry.options] : [];
  return [...own, ...below(entry).flatMap(tablesOf)];
});

/** `10 min` as the command line has it. */
const asGiven = (text: string): string => text.replace('min', 'm').replace(' ', '');

/** A cell of a table without the marks of code. */
const plain = (cell: string): string => cell.replaceAll('`', '').trim();

/** Each "`--option` (10 s)" of a document: how both write a default. */
const told = [...`${README}${OPERATIONS}`.matchAll(/`--([a-z0-9-]+)` \((\d+(?: (?:ms|s|min|h|d))?)\)/g)].map(
  ([, name = '', value = '']) => ({ name, value }),
);

describe('the documents', () => {
  it.each(told)('tell the default of --$name as the help does: $value', ({ name, value }) => {
    const helps = tables.map((table) => table[name]?.defaultDescription);
    expect(helps.map((help) => help?.split(' ')[0])).toContain(asGiven(value));
  });

  it('tell some', () => {
    expect(told.map(({ name }) => name)).toEqual(expect.arrayContaining(['settle', 'quiet', 'max-watched']));
  });

  it('tell every pattern of files that are left alone by default, and no other', () => {
    const line = README.slice(
      README.indexOf('- Files named'),
      README.indexOf('are in progress and left alone'),
    );
    expect([...line.matchAll(/`([^`]+)`/g)].map(([, pattern]) => pattern)).toEqual(DEFAULT_IGNORE);
  });

  it('tell every code, whom it concerns, what it ends a command with and its cure, as the code has them', () => {
    const rows = OPERATIONS.slice(OPERATIONS.indexOf('| code | concerns |'))
      .split('\n')
      .map((row) => row.split('|').map(plain))
      .filter(([, codes = '']) => /^[A-Z_, ]{3,}$/.test(codes));
    const told = rows.flatMap(([, codes = '', concerns, exit, , cure]) =>
      codes.split(', ').map((code) => [code, { concerns, exit, cure }] as const),
    );
    const known = Object.entries(ERRORS).map(
      ([code, { concerns, exit, cure }]) => [code, { concerns, exit: String(exit), cure }] as const,
    );
    const byCode = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : 1);
    expect(told.toSorted(byCode)).toEqual(known.toSorted(byCode));
  });

  it('tell every alarm, how grave it is and its cure, as the code has them', () => {
    const rows = OPERATIONS.slice(OPERATIONS.indexOf('| alarm | severity |'), OPERATIONS.indexOf('## Codes'))
      .split('\n')
      .map((row) => row.split('|').map(plain))
      .filter(([, code = '']) => /^[A-Z_]{3,}$/.test(code));
    const told = Object.fromEntries(
      rows.map(([, code = '', severity, , , cure]) => [code, { severity, cure }]),
    );
    expect(told).toEqual(ALARMS);
  });

  it('name no option that there is none of', () => {
    // Those of all options, of a group of them, and of our own tests.
    const others = ['help', 's3-', 'seed', 'parallel'];
    const known = new Set([...others, ...tables.flatMap((table) => Object.keys(table))]);
    const named = [README, OPERATIONS, read('docs/security.md')].flatMap((text) =>
      [...text.matchAll(/`(?:isync [^`]*)?--(?:no-)?([a-z][a-z0-9-]*)/g)].map(([, name = '']) => name),
    );
    expect([...new Set(named)].filter((name) => !known.has(name))).toEqual([]);
  });
});
