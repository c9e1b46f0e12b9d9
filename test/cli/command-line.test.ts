import { afterEach, describe, expect, it, vi } from 'vitest';
import { below, isGroup, type Command, type CommandGroup, type Invocation } from '../../src/cli/command.ts';
import { parseCommandLine } from '../../src/cli/command-line.ts';
import { COMMANDS } from '../../src/cli/commands/list.ts';
import { isSecret } from '../../src/config/secret.ts';
import { optionName } from '../../src/config/names.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { SCHEMAS } from './commands.ts';

afterEach(() => void vi.restoreAllMocks());

async function printed(...args: string[]): Promise<string> {
  const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
  expect(await parseCommandLine(args, '1.2.3')).toBeUndefined();
  const text = log.mock.calls.flat().join('\n');
  log.mockRestore();
  return text;
}

async function parsed(...args: string[]): Promise<Invocation> {
  const invocation = await parseCommandLine(args, '1.2.3');
  if (invocation === undefined) throw new Error('nothing was asked for');
  return invocation;
}

async function refused(...args: string[]): Promise<string> {
  const error: unknown = await parseCommandLine(args, '1.2.3').then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof IsyncError)) throw new Error(`not refused: ${args.join(' ')}`);
  expect(error.code).toBe('USAGE');
  return `${error.message} | ${error.hint ?? ''}`;
}

describe('help', () => {
  it.each([
    [['scan'], 'isync scan /datas --to'],
    [['receive'], 'isync receive /backup'],
    [['verify'], 'isync verify /datas --to'],
    [['token'], 'isync token add edge1'],
    [['token', 'add'], 'isync token add edge1'],
    [['token', 'list'], 'isync token list --tokens'],
    [['token', 'revoke'], 'isync token revoke edge1'],
    [['pull'], 'isync pull --config'],
    [['pull', 'parked'], 'isync pull parked replay all'],
    [['pull', 'parked', 'list'], 'isync pull parked list --config'],
    [['pull', 'parked', 'show'], 'isync pull parked show 0123'],
    [['pull', 'parked', 'replay'], 'isync pull parked replay all'],
    [['pull', 'parked', 'drop'], 'isync pull parked drop 0123'],
    [['webhook'], 'isync webhook --script'],
    [['webhook', 'queue'], 'isync webhook queue --config'],
    [['webhook', 'queue', 'dead'], 'isync webhook queue dead replay all'],
    [['webhook', 'queue', 'dead', 'list'], 'isync webhook queue dead list --config'],
    [['webhook', 'queue', 'dead', 'show'], 'isync webhook queue dead show ID'],
    [['webhook', 'queue', 'dead', 'replay'], 'isync webhook queue dead replay all'],
    [['webhook', 'queue', 'dead', 'drop'], 'isync webhook queue dead drop ID'],
    [['mirror'], 'isync mirror --config'],
    [['webhook', 'parked'], 'isync webhook parked replay all'],
    [['webhook', 'parked', 'list'], 'isync webhook parked list --config'],
    [['webhook', 'parked', 'show'], 'isync webhook parked show 0123'],
    [['webhook', 'parked', 'replay'], 'isync webhook parked replay all'],
    [['webhook', 'parked', 'drop'], 'isync webhook parked drop 0123'],
  ])('of %s has examples', async (args, example) => {
    const help = await printed(...args, '--help');
    expect(help).toContain('Examples:');
    expect(help).toContain(example);
  });

  it.each(['scan', 'verify', 'receive'])(
    'of %s tells how durations and sizes are written',
    async (command) => {
      expect(await printed(command, '--help')).toContain('Durations: 250ms, 10s, 5m, 1h, 2d.');
    },
  );

  it('tells the commands and the exit codes', async () => {
    const help = await printed('--help');
    for (const command of [...COMMANDS.map(({ name }) => name), 'completion'])
      expect(help).toContain(`isync ${command}`);
    expect(help).toContain('130  interrupted');
  });
});

describe('words instead of flags', () => {
  it.each([
    [[]],
    [['scan']],
    [['token']],
    [['token', 'add']],
    [['pull', 'parked']],
    [['pull', 'parked', 'show']],
  ])('help %j is --help', async (words) => {
    expect(await printed('help', ...words)).toBe(await printed(...words, '--help'));
  });

  it('version is --version', async () => {
    expect(await printed('version')).toBe('1.2.3');
  });

  it.each([
    [['help', 'scna'], 'unknown command "scna", did you mean "scan"?'],
    [['help', 'scan', 'more'], 'unexpected argument "more"'],
    [['help', 'token', 'lsit'], 'unexpected argument "lsit", did you mean "list"?'],
    [['help', 'pull', 'praked'], 'unexpected argument "praked", did you mean "parked"?'],
    [['help', 'pull', 'parked', 'lsit'], 'unexpected argument "lsit", did you mean "list"?'],
    [['help', 'pull', 'list'], 'unexpected argument "list"'],
    [['version', 'scan'], 'unexpected argument "scan"'],
    [['hepl'], 'unknown command "hepl", did you mean "help"?'],
  ])('%j is refused', async (args, message) => {
    expect(await refused(...args)).toContain(message);
  });
});

describe('options', () => {
  const found = (
    entry: Command | CommandGroup,
    section: string,
    above: readonly string[],
    isBelow = false,
  ): readonly { section: string; name: string; command: Command; isBelow: boolean }[] => {
    const words = [...above, entry.name];
    const own = isGroup(entry)
      ? []
      : [
          {
            section: entry.section ?? section,
            name: words.join(' '),
            command: entry,
            isBelow: isBelow || entry.section === 'backup',
          },
        ];
    return [
      ...own,
      ...below(entry).flatMap((each) =>
        found(each, section, words, isBelow || !isGroup(entry) || entry.name === 'backup'),
      ),
    ];
  };
  const all = COMMANDS.flatMap((entry) => found(entry, entry.name, []));

  it.each(all)('of $name are those that its settings know', ({ section, command, isBelow }) => {
    const { options, arguments: places, secrets = [], byOption = {}, notOptions = [] } = command;
    const settings = Object.keys(SCHEMAS[section as keyof typeof SCHEMAS].shape)
      .filter((key) => byOption[key] === undefined && !notOptions.includes(key))
      .map(optionName);
    // What no setting of that name has gives a setting of another one.
    const byOnly = new Set(Object.values(byOption).filter((option) => !settings.includes(option)));
    const named = [
      ...Object.keys(options).filter((name) => name !== 'config' && !byOnly.has(name)),
      ...places.filter(({ kind }) => kind === 'setting').map(({ name }) => name),
      ...secrets,
    ];
    expect(settings).toEqual(expect.arrayContaining(named));
    // What stands below a command takes the settings of its section from the file.
    expect((isBelow ? settings : named).toSorted()).toEqual(settings.toSorted());
    // Each of these is an option of some command of the section.
    const offered = all
      .filter((one) => one.section === section)
      .flatMap((one) => Object.keys(one.command.options));
    expect(offered).toEqual(expect.arrayContaining(Object.values(byOption)));
  });

  it.each(all)('of $section $name are no secrets, and its secrets are those of its settings', (each) => {
    const { shape } = SCHEMAS[each.section as keyof typeof SCHEMAS];
    const secrets = Object.entries(shape).filter(([, field]) => isSecret(field));
    expect(each.command.secrets ?? []).toEqual(secrets.map(([key]) => key));
  });

  it('reach the settings as the text they are', async () => {
    const line = 'scan 007 --to 1e3 --settle=010 --once --ignore *.tmp --ignore *.part';
    const { command, flags } = await parsed(...line.split(' '));
    expect(command.name).toBe('scan');
    expect(flags).toMatchObject({
      root: '007',
      to: '1e3',
      settle: '010',
      once: true,
      ignore: ['*.tmp', '*.part'],
    });
  });

  it('do not swallow what follows', async () => {
    expect((await parsed('scan', '--ignore', '*.tmp', '/datas')).flags).toMatchObject({ root: '/datas' });
    expect(await refused('scan', '--to', '--once')).toContain('--to needs a value');
  });

  it('that are not given are not there', async () => {
    const { flags } = await parsed('receive');
    expect(flags['immutable']).toBeUndefined();
    expect(flags['listen']).toBeUndefined();
  });

  it('can be taken back', async () => {
    expect((await parsed('scan', '--no-once')).flags['once']).toBe(false);
  });

  const each = all.flatMap(({ name: start, command }) => {
    const words = command.arguments.filter(({ kind }) => kind !== 'setting').map(() => 'x');
    return Object.entries(command.options).map(([name, { type }]) => ({
      line: [start, ...words].join(' '),
      name,
      isBoolean: type === 'boolean',
    }));
  });

  describe.each(each.filter(({ isBoolean }) => isBoolean))('$line --$name', ({ line, name }) => {
    const flagOf = async (arg: string) => (await parsed(...line.split(' '), arg)).flags[name];

    it('is on by itself and by each word for it', async () => {
      for (const value of ['', '=true', '=yes', '=on', '=1', '=YES'])
        expect([value, await flagOf(`--${name}${value}`)]).toEqual([value, true]);
    });

    it('is off by each word for it', async () => {
      for (const value of ['false', 'no', 'off', '0', 'False'])
        expect([value, await flagOf(`--${name}=${value}`)]).toEqual([value, false]);
      expect(await flagOf(`--no-${name}`)).toBe(false);
    });

    it.each(['', 'maybe', '2', 'true '])('is not %j', async (value) => {
      const told = await refused(...line.split(' '), `--${name}=${value}`);
      expect(told).toContain(
        `--${name} "${value}" is neither true nor false | "isync ${line.split(' ')[0]} --help"`,
      );
    });
  });

  it.each(each.filter(({ isBoolean }) => !isBoolean))('$line --no-$name is refused', async (option) => {
    const { line, name } = option;
    expect(await refused(...line.split(' '), `--no-${name}`)).toContain(
      `--no-${name} is no option: --${name} takes a value |`,
    );
  });

  it.each([
    ['receive', '--no-store'],
    ['scan', '--no-root'],
  ])('%s %s, which is an argument, is refused', async (...args) => {
    expect(await refused(...args)).toContain('takes a value');
  });

  it('end at "--"', async () => {
    expect((await parsed('scan', '--', '--once=maybe')).flags).toMatchObject({
      _: ['scan', '--once=maybe'],
    });
  });
});

describe('token', () => {
  it('has a device where it needs one', async () => {
    expect(await parsed('token', 'add', 'edge1', '--tokens', 'f')).toMatchObject({
      command: { name: 'add' },
      settings: { section: 'token' },
      words: { device: 'edge1' },
      flags: { tokens: 'f' },
    });
    expect(await parsed('token', 'list', '--tokens', 'f')).toMatchObject({
      command: { name: 'list' },
      words: {},
    });
    expect(await refused('token', 'add')).toContain('an argument is missing: DEVICE |');
    expect(await refused('token', 'revoke', '--tokens', 'f')).toContain('an argument is missing: DEVICE |');
    expect(await refused('token')).toContain('add, list and revoke');
  });
});

describe('pull', () => {
  it('runs by itself, and so do the commands below it', async () => {
    expect(await parsed('pull', '--config', 'f', '--once', '--resync')).toMatchObject({
      command: { name: 'pull' },
      settings: { section: 'pull', ownFile: true, byOption: { resyncNow: 'resync' } },
      flags: { config: 'f', once: true, resync: true },
      list: [],
    });
    expect(await parsed('pull', 'parked', 'show', 'abc', '--config', 'f')).toMatchObject({
      command: { name: 'show' },
      settings: { section: 'pull', ownFile: true },
      flags: { config: 'f' },
      words: { id: 'abc' },
    });
    expect(await parsed('pull', 'parked', 'drop', '1e3', '007', '--json')).toMatchObject({
      command: { name: 'drop' },
      list: ['1e3', '007'],
      flags: { json: true },
    });
  });

  it.each([
    [['pull', 'parked'], 'parked needs one of list, show, replay and drop |'],
    [['pull', 'praked'], 'unexpected argument "praked", did you mean "parked"? | "isync pull --help"'],
    [['pull', 'parked', 'lsit'], 'unexpected argument "lsit", did you mean "list"?'],
    [['pull', 'parked', 'show'], 'an argument is missing: ID |'],
    [['pull', 'parked', 'replay'], 'an argument is missing: ID |'],
    [['pull', 'parked', 'show', 'a', 'b'], 'unexpected argument "b" |'],
    [['pull', 'parked', 'list', '--once'], 'unknown option --once |'],
    [['pull', '--quee', 'x'], 'unknown option --quee, did you mean --queue?'],
    [['pull', 'parked', 'list', '--jsn'], 'unknown option --jsn, did you mean --json?'],
  ])('%j is refused', async (args, message) => {
    expect(await refused(...args)).toContain(message);
  });

  it('has its own options in its help, and the commands below only theirs', async () => {
    const help = await printed('pull', '--help');
    for (const text of ['isync pull parked', '--exec-delay', '--no-delete']) expect(help).toContain(text);
    const below = await printed('pull', 'parked', 'list', '--help');
    expect(below).toContain('--log-level');
    expect(below).not.toContain('--exec-delay');
  });
});

describe('a wrong command line', () => {
  it.each([
    [[], 'give a command | "isync --help" tells more.'],
    [['scna'], 'unknown command "scna", did you mean "scan"?'],
    [['xyzzy'], 'unknown command "xyzzy" |'],
    [['scan', '--setle', '3'], 'unknown option --setle, did you mean --settle? | "isync scan --help"'],
    [['scan', '--xyzzy=1'], 'unknown option --xyzzy |'],
    [['scan', '-x'], 'unknown option -x'],
    [['scan', '/a', '/b'], 'unexpected argument "/b"'],
    [['token', 'lsit'], 'unexpected argument "lsit", did you mean "list"?'],
    [['scan', '--newest', 'size'], '--newest "size" is none of "birthtime", "mtime", "name"'],
    [['scan', '--token', 'abc'], 'unknown option --token | An argument shows in ps'],
  ])('%j is told in one line', async (args, message) => {
    const text = await refused(...args);
    expect(text).toContain(message);
    expect(text).not.toContain('\n');
  });

  it('does not repeat a token', async () => {
    expect(await refused('scan', '--token=sesame')).not.toContain('sesame');
  });
});

describe('completion', () => {
  it('prints a script', async () => {
    expect(await printed('completion')).toContain('isync completion');
  });

  it.each([
    [[''], 'receive'],
    [['token', ''], 'revoke'],
    [['pull', ''], 'parked'],
    [['pull', 'parked', ''], 'replay'],
    [['pull', '--'], '--max-delete'],
    [['scan', '--'], '--token-file'],
    [['scan', '--newest', ''], 'birthtime'],
    [['scan', '--once=', '--'], '--token-file'],
  ])('of %j knows %s', async (words, completion) => {
    expect((await printed('--get-yargs-completions', 'isync', ...words)).split('\n')).toContain(completion);
  });
});
