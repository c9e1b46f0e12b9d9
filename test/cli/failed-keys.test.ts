import { linkSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openFailedKeys } from '../../src/cli/mirror/failed-keys.ts';

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'isync-test-failed-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

it('are never written to the list that is read, whatever it is called', () => {
  const folder = newFolder();
  const at = (name: string): string => join(folder, name);
  writeFileSync(at('list'), 'a\nb\n');
  symlinkSync('list', at('symlink'));
  linkSync(at('list'), at('link'));
  for (const name of ['list', 'symlink', 'link']) {
    expect(() => openFailedKeys(at(name), at('list'))).toThrow(
      expect.objectContaining({ code: 'USAGE', path: at(name) }),
    );
    expect(() => openFailedKeys(at('list'), at(name))).toThrow(expect.objectContaining({ code: 'USAGE' }));
  }
  expect(readFileSync(at('list'), 'utf8')).toBe('a\nb\n');
});

it('are written to a file that is made anew', () => {
  const folder = newFolder();
  const at = (name: string): string => join(folder, name);
  writeFileSync(at('failed'), 'old\n');
  for (const list of [undefined, '-', at('none')]) {
    using failed = openFailedKeys(at('failed'), list);
    failed.add('k');
    expect(readFileSync(at('failed'), 'utf8')).toBe('k\n');
  }
});
