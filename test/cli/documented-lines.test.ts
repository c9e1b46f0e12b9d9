import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { below, DOCUMENTS, isyncLines, read, shellLines } from '../../harness/documented-lines.ts';
import { parseCommandLine } from '../../src/cli/command-line.ts';
import { plainLine } from '../../src/cli/plain-line.ts';
import { readConfig, type CommandSchema } from '../../src/config/read-config.ts';
import { ELSEWHERE, linesOf as linesOfSteps, MACHINES, NOT_RUN } from '../long/documented-runs.ts';
import { SCHEMAS, type Section } from './commands.ts';

interface Line {
  /** Variables before it. */
  readonly environment: Readonly<Record<string, string>>;
  /** What stands behind "isync". */
  readonly rest: string;
}

/** Lines of isync in a document, whole; those that leave something to the reader (…) are none. */
function linesOf(path: string): Line[] {
  return shellLines(path)
    .flatMap((line) => line.split(/ && | \| |; /))
    .flatMap((part) => {
      const [, before = '', rest = ''] =
        /^(?:sudo (?:-u \w+ )?)?((?:\w+=\S+ )*)isync (.*)$/.exec(part.trim()) ?? [];
      const environment = Object.fromEntries(
        [...before.matchAll(/(\w+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value]),
      );
      return rest === '' || /…|\$\(|^COMMAND|--help/.test(rest) ? [] : [{ environment, rest: filled(rest) }];
    });
}

/** What the server prints in the place of words. */
function filled(line: string): string {
  return line.replace('#TOKEN#FINGERPRINT', `#isync_${'x'.repeat(43)}#${'ab'.repeat(32)}`);
}

/** Words as a shell splits them, up to a comment, a redirection or a job in the background. */
function wordsOf(line: string): string[] {
  const [plain = ''] = line.split(/\s(?:#|[12]?>|&$)/);
  const words = plain.matchAll(/'([^']*)'|"([^"]*)"|([^\s'"]+)/g);
  return [...words].map(([, single, double, bare]) => single ?? double ?? bare ?? '');
}

function lineIn(unit: string): string {
  return /^ExecStart=\/usr\/bin\/isync (.*)$/m.exec(read(unit))?.[1] ?? '';
}

const lines = [
  ...DOCUMENTS.flatMap((path) =>
    linesOf(path).map(({ rest, environment }) => [path, rest, environment] as const),
  ),
  ...below('deploy', '.service').map((path) => [path, lineIn(path), {}] as const),
];

function isSection(name: string): name is Section {
  return Object.hasOwn(SCHEMAS, name);
}

describe('the documents', () => {
  it.each(lines)('%s: isync %s', async (_path, line, environment) => {
    const found = plainLine(wordsOf(line)) ?? (await parseCommandLine(wordsOf(line), '0'));
    expect(found).toBeDefined();
    const { settings, flags } = found!;
    const { section } = settings;
    // What a file has to say nobody knows here.
    if (!isSection(section) || flags['config'] !== undefined) return;
    const schema = SCHEMAS[section] as CommandSchema<unknown>;
    expect(readConfig(schema, settings, { flags, environment })).toBeTypeOf('object');
  });

  it('have no line that no test runs and that has no reason for it, and no test runs one that they have no more', () => {
    const printed = new Set(DOCUMENTS.flatMap(isyncLines));
    const run = MACHINES.flatMap(({ steps }) => linesOfSteps(steps));
    const known = new Set([...run, ...Object.keys(ELSEWHERE), ...Object.keys(NOT_RUN)]);
    expect([...printed].filter((line) => !known.has(line))).toEqual([]);
    expect([...known].filter((line) => !printed.has(line))).toEqual([]);
    const missing = Object.values(ELSEWHERE).filter(
      (path) => !existsSync(new URL(`../../${path}`, import.meta.url)),
    );
    expect(missing).toEqual([]);
  });

  it('have lines of every kind', () => {
    const has = (path: string): number => lines.filter(([of]) => of === path).length;
    expect(has('README.md')).toBeGreaterThan(10);
    expect(has('docs/operations.md')).toBeGreaterThan(5);
    expect(lines.length).toBeGreaterThan(50);
  });
});
