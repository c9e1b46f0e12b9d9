import { describe, expect, it } from 'vitest';
import { parseConfigFile } from '../../src/config/config-file.ts';
import { IsyncError } from '../../src/model/isync-error.ts';

describe('a config file', () => {
  it('gives every scalar as it was written, with its line', () => {
    const text = 'scan:\n  device: 007\n  once: yes\n\n  # a comment\n  ignore: ["*.tmp", 1.50]\n';
    expect(parseConfigFile(text, 'f')).toEqual([
      {
        name: 'scan',
        line: 1,
        settings: [
          { key: 'device', value: '007', line: 2 },
          { key: 'once', value: 'yes', line: 3 },
          { key: 'ignore', value: ['*.tmp', '1.50'], line: 6 },
        ],
      },
    ]);
  });

  it.each(['', '# nothing\n', '---\n'])('may be empty: %j', (text) => {
    expect(parseConfigFile(text, 'f')).toEqual([]);
  });

  it('may have an empty section', () => {
    expect(parseConfigFile('scan:\n', 'f')).toEqual([{ name: 'scan', line: 1, settings: [] }]);
  });

  it.each([
    ['scan: [a\n', /not YAML.*\(\d+:\d+\)/],
    ['scan:\n  to: a\n  to: b\n', /not YAML.*unique/],
    ['- scan\n', /no map of commands/],
    ['scan\n', /no map of commands/],
  ])('is refused when it is %j', (text, message) => {
    expect(() => parseConfigFile(text, 'f.yaml')).toThrow(message);
    expect(() => parseConfigFile(text, 'f.yaml')).toThrow(IsyncError);
  });

  it.each([
    ['scan:\n  ignore: *.log\n', '"*.log"', 2],
    ['scan:\n  ignore:\n    - "*.tmp"\n    - *.log\n', '"*.log"', 4],
    ['scan:\n  ignore: [a, *.log]\n', '"*.log"', 2],
    ['scan:\n  ignore: **/x.log\n', '"**/x.log"', 2],
    ['scan:\n  ignore: *\n', '"*"', 2],
    ['scan:\n  ignore: *.log, *.tmp\n', '"*.log, *.tmp"', 2],
    ['scan:\n  ignore: *.{a,b}\n', '"*.{a,b}"', 2],
    ['scan:\n  ignore: [*.{a,b}, x]\n', '"*.{a,b}"', 2],
  ])('that is %j is told to quote its "*"', (text, quoted, line) => {
    expect(() => parseConfigFile(text, 'f.yaml')).toThrow(
      `"*" has a meaning of its own in YAML: write ${quoted} with the quotes (f.yaml, line ${line})`,
    );
  });

  it('that begins a pattern with "!" is told to quote it too', () => {
    expect(() => parseConfigFile('scan:\n  ignore: !(a).raw # but a\n', 'f.yaml')).toThrow(
      '"!" has a meaning of its own in YAML: write "!(a).raw" with the quotes (f.yaml, line 2)',
    );
  });

  it('may hold an alias of YAML', () => {
    expect(() => parseConfigFile('scan:\n  tag: &x DC\n  device: *x\n', 'f')).not.toThrow();
  });

  it('tells what is no text and no list of texts', () => {
    const [section] = parseConfigFile('scan:\n  to: {a: b}\n  ignore: [[x]]\n', 'f');
    expect(section?.settings?.map(({ value }) => value)).toEqual([undefined, undefined]);
  });
});
