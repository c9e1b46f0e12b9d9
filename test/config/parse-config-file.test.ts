import { describe, expect, it, vi } from 'vitest';
import { parseConfigFile } from '../../src/config/parse-config-file.ts';
import { IsyncError } from '../../src/model/isync-error.ts';

describe('a config file', () => {
  it('gives every scalar as it was written, with its line', () => {
    const text = 'scan:\n  device: 007\n  once: yes\n\n  # a comment\n  ignore: ["*.tmp", 1.50]\n';
    const file = parseConfigFile(text, 'f');
    const scan = { device: '007', once: 'yes', ignore: ['*.tmp', '1.50'] };
    expect(file).toMatchObject({ path: 'f', content: new Map([['scan', scan]]) });
    expect(file.lineOf(['scan'])).toBe(1);
    expect(file.lineOf(['scan', 'once'])).toBe(3);
    expect(file.lineOf(['scan', 'ignore', 1])).toBe(6);
  });

  it('has maps and lists of maps, with the line of each key and item', () => {
    const text = 'mirror:\n  rules:\n    - key: {a: 1}\n    - origins:\n        - x\n        - y\n';
    const file = parseConfigFile(text, 'f');
    expect(file.content.get('mirror')).toEqual({ rules: [{ key: { a: '1' } }, { origins: ['x', 'y'] }] });
    expect(file.lineOf(['mirror', 'rules', 0, 'key', 'a'])).toBe(3);
    expect(file.lineOf(['mirror', 'rules', 1, 'origins', 1])).toBe(6);
    // What is not there is looked for where it belongs.
    expect(file.lineOf(['mirror', 'rules', 1, 'key'])).toBe(4);
  });

  it('may be JSON, with the pairs in lists that YAML has beyond it', () => {
    const text = `{ "queue": "transport-dev",
      "sync": [ "test-folder/": "/srv/a", "test-folder/folder-01/": "/srv/b", "a/": "b", "cc/": "b" ] }`;
    expect(Object.fromEntries(parseConfigFile(text, 'f').content)).toEqual({
      queue: 'transport-dev',
      sync: [
        { 'test-folder/': '/srv/a' },
        { 'test-folder/folder-01/': '/srv/b' },
        { 'a/': 'b' },
        { 'cc/': 'b' },
      ],
    });
  });

  it('does not let a key be taken for something of every object', () => {
    const { content } = parseConfigFile('scan: {__proto__: {once: yes}}', 'f');
    expect(content.get('scan')).not.toHaveProperty('once');
  });

  it.each(['', '# nothing\n', '---\n'])('may be empty: %j', (text) => {
    expect(parseConfigFile(text, 'f').content.size).toBe(0);
  });

  it.each(['scan:\n', 'scan: {tag: }\n'])('may have what is empty: %j', (text) => {
    expect(['', { tag: '' }]).toContainEqual(parseConfigFile(text, 'f').content.get('scan'));
  });

  it('gives a hint that fits what is wrong with it', () => {
    const hintOf = (text: string) => {
      try {
        parseConfigFile(text, 'f.yaml', 'Such a shape.');
      } catch (error) {
        return error instanceof IsyncError ? error.hint : undefined;
      }
      return undefined;
    };
    expect(hintOf('scan:\n  to: a\n  to: b\n')).toMatch(/^A key may stand once in its map/);
    expect(hintOf('scan: {to: %a}\n')).toMatch(/quotes/);
    expect(hintOf('- bucket: b\n')).toBe('Such a shape.');
  });

  it.each([
    ['scan: [a\n', /not YAML.*\(\d+:\d+\)/],
    ['scan:\n  to: a\n  to: b\n', /not YAML.*unique/],
    ['- scan\n', /no map of commands or settings/],
    ['scan\n', /no map of commands or settings/],
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
    const file = parseConfigFile('scan:\n  tag: &x DC\n  device: *x\n', 'f');
    expect(file.content.get('scan')).toEqual({ tag: 'DC', device: 'DC' });
  });

  it.each([
    ['scan: &x {to: store, ignore: *x}', 'an alias stands within what it is an alias of', 1],
    ['scan: &x\n  - a: &y\n    - *x\n    - *y\n', 'an alias stands within what it is an alias of', 3],
    ['scan:\n  to: !!binary aGVsbG8=\n', 'a value of the type !!binary is not taken', 2],
    ['scan:\n  to: !!timestamp 2026-01-01\n', 'a value of the type !!timestamp is not taken', 2],
    ['scan: !!set {a, b}\n', 'a value of the type !!set is not taken', 1],
    ['scan: !!omap [a: b]\n', 'a value of the type !!omap is not taken', 1],
    ['scan:\n  ? {a: b}\n  : c\n', 'a map or list is a key', 2],
    ['scan:\n  [a]: c\n', 'a map or list is a key', 2],
    ['scan:\n  to: &x [a]\n  *x : c\n', 'a map or list is a key', 3],
    ['scan:\n  to: {{ SEKRIT }}\n', 'a map or list is a key; a template like {{ NAME }} needs quotes', 2],
  ])('that is %j is refused with its line', (text, message, line) => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const attempt = () => parseConfigFile(text, 'f.yaml');
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(`(f.yaml, line ${line})`);
    expect(attempt).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(attempt).not.toThrow('SEKRIT');
    expect(warned).not.toHaveBeenCalled();
    warned.mockRestore();
  });

  it('that would be endless is refused', () => {
    const level = (name: string, of: string) => `${name}: &${name} [${Array(9).fill(of).join(', ')}]\n`;
    const bomb = level('a', 'x') + level('b', '*a') + level('c', '*b') + level('d', '*c');
    const refusal = (reason: string) =>
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: `the config file ${reason}`,
        path: 'f.yaml',
      });
    expect(() => parseConfigFile(bomb, 'f.yaml')).toThrow(refusal('has too many aliases in aliases'));
    const deep = `scan: ${'['.repeat(5000)}${']'.repeat(5000)}`;
    expect(() => parseConfigFile(deep, 'f.yaml')).toThrow(IsyncError);
  });

  it('may say of a text, map or list that it is one', () => {
    const file = parseConfigFile('scan: !!map {to: !!str 1, ignore: !!seq [a], tag: ! 2}\n', 'f');
    expect(file.content.get('scan')).toEqual({ to: '1', ignore: ['a'], tag: '2' });
  });
});
