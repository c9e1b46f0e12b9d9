import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isGroup, type Command, type Invocation } from '../../src/cli/command.ts';
import { parseCommandLine } from '../../src/cli/command-line.ts';
import { COMMANDS } from '../../src/cli/commands/list.ts';
import { plainLine } from '../../src/cli/plain-line.ts';

/** Without what yargs adds of its own. */
function comparable(invocation: Invocation): unknown {
  const { flags, ...rest } = invocation;
  const given = Object.entries(flags).filter(
    ([name, value]) => value !== undefined && name !== '_' && name !== '$0',
  );
  return { ...rest, flags: Object.fromEntries(given) };
}

/** Expects of a line that it is not plain, or that yargs reads it alike; returns whether it is plain. */
async function readsAlike(line: readonly string[]): Promise<boolean> {
  const plain = plainLine(line);
  if (plain === undefined) return false;
  const whole = await parseCommandLine(line, '1.2.3');
  expect(comparable(plain)).toEqual(whole && comparable(whole));
  return true;
}

const SIMPLE = COMMANDS.filter((entry): entry is Command => !isGroup(entry));
const NAMES = [...new Set(SIMPLE.flatMap(({ options }) => Object.keys(options)))];
const CHOICES = SIMPLE.flatMap(({ options }) => Object.values(options)).flatMap(({ choices = [] }) =>
  choices.map(String),
);
const value = fc.oneof(
  fc.constantFrom(
    'a',
    '/srv',
    'ws://h:1',
    '1',
    '007',
    '1e3',
    '0x10',
    '-1',
    '-',
    '--',
    '',
    ' ',
    'true',
    'false',
    'no',
  ),
  fc.constantFrom(
    '"a"',
    "'a'",
    '"',
    "'",
    '`a`',
    'a=b',
    '=',
    'a b',
    '*.log',
    '!x',
    'a,b',
    'é',
    'A',
    'a\nb',
    '__proto__',
    ...CHOICES,
  ),
  fc.string({ maxLength: 3 }),
);
const name = fc.oneof(
  fc.constantFrom(...NAMES),
  fc.constantFrom(
    'v',
    'q',
    'h',
    'root',
    'store',
    'help',
    'version',
    'no',
    'once.x',
    '__proto__',
    'constructor',
    'onc',
    '',
  ),
);
const word = fc.oneof(
  value.map((text) => [text]),
  fc.tuple(name, value).map(([of, text]) => [`--${of}`, text]),
  fc.tuple(name, value).map(([of, text]) => [`--${of}=${text}`]),
  name.map((of) => [`--${of}`]),
  name.map((of) => [`--no-${of}`]),
  name.map((of) => [`-${of}`]),
);

describe('a plain command line', () => {
  it.each([
    'scan /datas --to ws://backup:7400',
    'scan /datas --to=ws://backup:7400 --once --json -q',
    'scan --config /etc/isync/isync.yaml',
    'scan --to /mnt /datas --no-default-ignore --ignore *.log --ignore *.tmp',
    'receive /backup --listen 0.0.0.0:7400 --tokens /etc/isync/tokens -v',
    'receive',
    'verify /datas --to /mnt --quick',
  ])('is read without yargs, and alike: isync %s', async (line) => {
    expect(await readsAlike(line.split(' '))).toBe(true);
  });

  it.each([
    '',
    'help scan',
    'scan --help',
    'scan -h',
    'scan help',
    'scan /a --to',
    'scan /a --to=',
    'scan /a --to --once',
    'scan /a /b',
    'scan /a --settle=-1',
    'scan /a --to b --to c',
    'scan /a --once --once',
    'scan /a --once=false',
    'scan /a --once false',
    'scan /a --no-to b',
    'scan /a --digest md5',
    'scan /a --onec',
    'scan /a -x',
    'scan -- /a',
    'scan --root /a',
    'token add edge1',
    'pull parked list',
    'init receive',
    'nothing',
  ])('is not: isync %s', (line) => {
    expect(plainLine(line.split(' '))).toBeUndefined();
  });

  it('refuses two levels of the log as any line does', () => {
    expect(() => plainLine(['scan', '/a', '-v', '-q'])).toThrow('-v is given, and another level as well');
  });

  it('means the same to yargs, whatever it is made of', async () => {
    let plain = 0;
    const line = fc.tuple(
      fc.constantFrom(...SIMPLE.map((command) => command.name)),
      fc.array(word, { maxLength: 4 }),
    );
    await fc.assert(
      fc.asyncProperty(line, async ([command, words]) => {
        try {
          if (await readsAlike([command, ...words.flat()])) plain++;
        } catch (error) {
          // Two levels of the log: so says yargs too.
          if (!(error instanceof Error) || !error.message.includes('another level as well')) throw error;
        }
      }),
      { numRuns: 400 },
    );
    expect(plain).toBeGreaterThan(40);
  });
});
