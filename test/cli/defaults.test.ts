import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ONE_SHOT_RETRY_MS } from '../../src/cli/open-target.ts';
import { defaultDevice } from '../../src/config/default-device.ts';
import { optionName } from '../../src/config/names.ts';
import { readConfigFile } from '../../src/config/parse-config-file.ts';
import { readConfig, type CommandSchema } from '../../src/config/read-config.ts';
import type { Sources } from '../../src/config/sources.ts';
import { parseDuration } from '../../src/config/values.ts';
import { DEFAULT_MAX_CONNECTIONS } from '../../src/receiver/receiver-limits.ts';
import { PART_BUFFER_BYTES } from '../../src/store/s3/s3-store.ts';
import { OPTION_TABLES as tables, SCHEMAS, settingsFor, type Section } from './commands.ts';

/** Only a file can give jobs. */
const BACKUP_FILE = fileURLToPath(new URL('backup.yaml', import.meta.url));

/** What a command can't do without. */
const REQUIRED = {
  scan: { root: '/datas', to: '/mnt' },
  verify: { root: '/datas', to: '/mnt' },
  expire: { root: '/datas', to: '/mnt', keep: '7d' },
  ls: { from: '/mnt' },
  fetch: { from: '/mnt', into: '/back' },
  receive: { store: '/mnt' },
  token: { tokens: '/tokens' },
  pull: { queue: 'events', sync: ['a/=/srv/a'] },
  webhook: {},
  backup: { config: BACKUP_FILE, jobs: undefined },
  mirror: { bucket: 's3://bkt', 'external-endpoint': 'https://old.example' },
  init: {},
  status: {},
} as const satisfies Record<Section, Readonly<Record<string, unknown>>>;

/** Defaults that are words, because what they say is known only when the command runs; by option, or by command and option. */
const IN_WORDS: Readonly<Record<string, string>> = {
  device: 'its host name',
  's3-region': 'that of the profile',
  's3-path-style': 'with --s3-endpoint',
  's3-sse': "the bucket's",
  'expire max-delete': 'all that are due',
  state: 'CONFIG.state, beside the config file',
  region: 'that of the profile',
  buckets: 'any',
  'webhook address': 'all where something says who may post, else 127.0.0.1',
  'webhook topic': 'any of VK Cloud, none of SNS',
  'webhook queue': 'queue.db in the state',
  'mirror on-miss': 'redirect with a service endpoint, else stream',
  'mirror spool': "the system's for temporary files",
  'hook-state': '$STATE_DIRECTORY, else $XDG_STATE_HOME/isync, else ~/.local/state/isync',
  'init port': 'that of receive.yaml, else 7400',
  'init settings': '/etc/isync; ~/.config/isync unless root',
  'state-dir': 'CONFIG.state, beside the config file',
  'status url': 'all commands of this user here; as root, of every unit',
  'webhook state': 'CONFIG.state, beside the config file, or webhook.state',
};
/** Values that the settings leave open, and that the code which uses them fills in. */
const FILLED_IN_LATER: Readonly<Record<string, number>> = {
  's3-part-memory': PART_BUFFER_BYTES,
  'max-connections': DEFAULT_MAX_CONNECTIONS,
};

function inWords({ command, name }: { command: string; name: string }): string | undefined {
  return IN_WORDS[`${command} ${name}`] ?? IN_WORDS[name];
}

function readSettings(command: Section, sources: Sources): object {
  const schema: CommandSchema<object> = SCHEMAS[command];
  return readConfig(schema, settingsFor(command), sources);
}

function settings(command: Section, flags: Readonly<Record<string, unknown>> = {}) {
  const sources = { flags: { ...REQUIRED[command], ...flags }, environment: {}, readFile: readConfigFile };
  const config = readSettings(command, sources);
  return new Map(Object.entries(config).map(([key, value]) => [optionName(key), value]));
}

const COMMANDS = Object.keys(REQUIRED) as Section[];
const told = COMMANDS.flatMap((command) =>
  Object.entries(tables[command] ?? {}).flatMap(([name, { defaultDescription }]) =>
    defaultDescription === undefined ? [] : [{ command, name, told: defaultDescription }],
  ),
);

it.each([
  { table: 'SCHEMAS', keys: Object.keys(SCHEMAS) },
  { table: 'REQUIRED', keys: Object.keys(REQUIRED) },
])('$table has an entry for each command, and no other', ({ keys }) => {
  expect(keys.toSorted()).toEqual(Object.keys(tables).toSorted());
});

describe('a default that --help tells', () => {
  it.each(told.filter((each) => inWords(each) === undefined && each.name !== 'retry-for'))(
    'of $command --$name is the one in force: $told',
    ({ command, name, told }) => {
      const laterDefault = FILLED_IN_LATER[name];
      // Options of S3 are refused beside a folder.
      const at = !name.startsWith('s3-')
        ? {}
        : command === 'receive'
          ? { store: 's3://bkt' }
          : { to: 's3://bkt' };
      const given = settings(command, { ...at, [name]: told }).get(name);
      expect(given).toEqual(laterDefault ?? settings(command).get(name));
      expect(given).toBeDefined();
    },
  );

  it('in words is one that can not be a value', () => {
    for (const each of told.filter((each) => inWords(each) !== undefined))
      expect(each.told).toBe(inWords(each));
    expect(settings('scan').get('device')).toBe(defaultDevice(hostname()));
  });

  it('of --retry-for is how long a command that ends by itself tries', () => {
    const of = (command: Section): string => tables[command]?.['retry-for']?.defaultDescription ?? '';
    expect(parseDuration(of('verify'), 's')).toBe(ONE_SHOT_RETRY_MS);
    expect(of('scan')).toBe(`${of('verify')} with --once, else never`);
  });
});

describe('every default', () => {
  it.each(COMMANDS)(
    'of %s is told by --help, but for flags that are off and lists that are empty',
    (command) => {
      const silent = [...settings(command)]
        .filter(([name]) => !(name in REQUIRED[command]))
        .filter(([, value]) => value !== undefined && value !== false && value !== '')
        .filter(([, value]) => !Array.isArray(value) || value.length > 0)
        .filter(([name]) => tables[command]?.[name]?.defaultDescription === undefined);
      expect(silent).toEqual([]);
    },
  );
});
