import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { one } from '../../src/config/fields.ts';
import { readConfigFile } from '../../src/config/parse-config-file.ts';
import { readConfig } from '../../src/config/read-config.ts';
import { Secret, secret } from '../../src/config/secret.ts';
import type { CommandSettings } from '../../src/config/sources.ts';
import { parseCount } from '../../src/config/values.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

const anyText = (text: string): string => text;
const SCHEMA = z.strictObject({
  queue: z.string().optional(),
  maxSize: one(parseCount).optional(),
  rules: z
    .array(
      z.strictObject({
        origins: z.array(one(parseCount)),
        timeouts: z.strictObject({ connect: one(parseCount) }).optional(),
        send: z.record(z.string(), secret(anyText)).optional(),
      }),
    )
    .optional(),
  sync: z.array(z.record(z.string(), z.string())).optional(),
});
const COMMAND: CommandSettings = {
  section: 'mirror',
  sections: ['scan', 'mirror'],
  places: [],
  secrets: [],
  names: ['queue', 'max-size', 'rules', 'sync'],
};

let folder: string;
let file: string;
beforeEach(() => {
  folder = temporaryFolder();
  file = join(folder, 'isync.yaml');
});

function read(text: string, ownFile = false, environment = {}) {
  writeFileSync(file, text);
  const sources = { flags: { config: file }, environment, readFile: readConfigFile };
  return readConfig(SCHEMA, { ...COMMAND, ownFile }, sources);
}

function refused(text: string, ownFile = false, environment = {}): string {
  try {
    read(text, ownFile, environment);
  } catch (error) {
    if (error instanceof IsyncError && error.code === 'CONFIG_INVALID') return error.message;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('a config file with maps and lists of maps', () => {
  it('is read', () => {
    const text = 'mirror:\n  rules:\n    - origins: [1, 2]\n      timeouts: { connect: 3 }\n';
    expect(read(text)).toEqual({ rules: [{ origins: [1, 2], timeouts: { connect: 3 } }] });
  });

  it('may have a name as the command line has it, or as the maps within have theirs', () => {
    expect(read('mirror: {max-size: 5}')).toEqual(read('mirror: {maxSize: 5}'));
  });

  it.each([
    [
      '- origins: [1]\n    - origins:\n        - 2\n        - x',
      'mirror.rules[1].origins[1]: "x" is no whole number from 1 up',
      6,
    ],
    ['- origins: [1]\n      timeouts: {}', 'mirror.rules[0].timeouts.connect: is missing', 4],
    [
      '- origin: [1]\n      origins: [1]',
      'mirror.rules[0]: has no setting "origin"; did you mean "origins"?',
      3,
    ],
    [
      '- origins: [1]\n      timeouts: {\n        conect: 1, connect: 1 }',
      'mirror.rules[0].timeouts: has no setting "conect"; did you mean "connect"?',
      5,
    ],
  ])('tells where %j is wrong', (rules, message, line) => {
    expect(refused(`mirror:\n  rules:\n    ${rules}\n`)).toBe(`${message} (${file}, line ${line})`);
  });

  it('may hold the settings of one command alone, as JSON too', () => {
    const text = '{ "queue": "transport-dev",\n  "sync": [ "test-folder/": "/srv/a", "a/": "b" ] }';
    const expected = { queue: 'transport-dev', sync: [{ 'test-folder/': '/srv/a' }, { 'a/': 'b' }] };
    expect(read(text, true)).toEqual(expected);
    expect(read(`mirror: ${text}`, true)).toEqual(expected);
    expect(read(`stores: {}\nqueue: transport-dev\n`, true)).toEqual({ queue: 'transport-dev' });
    expect(refused('queue: x\nsynk: []\n', true)).toContain('did you mean "sync"? (');
    expect(refused('queue: x\n')).toContain('queue: is no section of a config file');
    expect(refused('rules:\n  - origins: [x]\n', true)).toContain(
      'rules[0].origins[0]: "x" is no whole number',
    );
  });
});

describe('a secret in a config file', () => {
  const send = (value: string): string =>
    `mirror:\n  rules:\n    - origins: [1]\n      send: { Authorization: ${value} }\n`;
  const revealed = (value: string, environment = {}) =>
    read(send(value), false, environment).rules?.[0]?.send?.['Authorization']?.reveal();

  it('is in a file, a variable, or a credential of systemd', () => {
    writeFileSync(join(folder, 'key'), 'sesame \n');
    expect(revealed(`{ file: ${join(folder, 'key')} }`)).toBe('sesame ');
    expect(revealed('{ env: MIRROR_KEY }', { MIRROR_KEY: 'open' })).toBe('open');
    mkdirSync(join(folder, 'credentials'));
    writeFileSync(join(folder, 'credentials/key'), 'barley');
    const CREDENTIALS_DIRECTORY = join(folder, 'credentials');
    expect(revealed('{ credential: key }', { CREDENTIALS_DIRECTORY })).toBe('barley');
  });

  it.each([
    ['sesame', 'does not belong into a config file; name a file that holds it: { file: PATH }'],
    ['{ file: /nowhere }', 'the file "/nowhere" is not there'],
    ['{ env: MIRROR_NONE }', 'names the variable MIRROR_NONE, which is not set'],
    ['{ credential: key }', 'names a credential, and systemd has passed none on'],
    ['{ password: sesame }', 'is not one of { file: PATH }, { env: NAME } and { credential: NAME }'],
    ['{ file: sesame, env: x }', 'is not one of { file: PATH }'],
    ['[sesame]', 'is no single value'],
  ])('that is %s is refused, and not shown', (value, message) => {
    const told = refused(send(value));
    expect(told).toContain(`mirror.rules[0].send.Authorization: ${message}`);
    expect(told).toContain(`(${file}, line 4)`);
    expect(told).not.toContain('sesame');
  });

  it('is in a regular file that is not large, and in no other', () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    for (const path of [pipe, '/dev/zero', folder])
      expect(refused(send(`{ file: ${path} }`))).toContain(`the file "${path}" is no regular file`);
    const large = join(folder, 'large');
    writeFileSync(large, 'x'.repeat(64 * 1024));
    expect(revealed(`{ file: ${large} }`)).toHaveLength(64 * 1024);
    writeFileSync(large, 'x'.repeat(64 * 1024 + 1));
    expect(refused(send(`{ file: ${large} }`))).toContain('is too large; the most is 65536 bytes');
    symlinkSync(join(folder, 'large'), join(folder, 'link'));
    writeFileSync(large, 'sesame');
    expect(revealed(`{ file: ${join(folder, 'link')} }`)).toBe('sesame');
  });

  it('is no credential where systemd has passed none on', () => {
    const told = refused(send('{ credential: key }'), false, { CREDENTIALS_DIRECTORY: '' });
    expect(told).toContain('systemd has passed none on');
  });

  it('leaves the credentials of others alone', () => {
    for (const name of ['../key', '..', 'a/b'])
      expect(refused(send(`{ credential: ${name} }`), false, { CREDENTIALS_DIRECTORY: folder })).toContain(
        'is no name',
      );
  });
});

it('a secret is printed by nothing', () => {
  const value = new Secret('sesame');
  for (const text of [
    String(value),
    JSON.stringify({ value }),
    inspect({ value }, { showHidden: true }),
    value.toString(),
  ])
    expect(text).not.toContain('sesame');
  expect(value.reveal()).toBe('sesame');
});
