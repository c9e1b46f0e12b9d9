import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';

const CHECKOUT = resolve(import.meta.dirname, '../..');
const CONFIG = ['floors.ts', 'oxlint.config.ts', 'tsconfig.json', 'package.json'];

const folder = mkdtempSync(join(tmpdir(), 'isync-floors-'));
afterAll(() => rmSync(folder, { recursive: true }));

beforeEach(() => {
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  for (const name of CONFIG) cpSync(join(CHECKOUT, name), join(folder, name));
  symlinkSync(join(CHECKOUT, 'node_modules'), join(folder, 'node_modules'));
  plant('src/http/server.ts', 'export type Port = number;\n');
  plant('src/model/port.ts', 'export type Port = number;\n');
});

describe('the floors of src', () => {
  it('let a folder import from the floors above it', () => {
    plant('src/flow/planted.ts', "export type { Port } from '../model/port.ts';\n");
    plant('src/flow/below/planted.ts', "export type { Port } from '../../model/port.ts';\n");
    expect(lint()).toEqual({ passed: true, told: expect.any(String) });
  });

  it('forbid every other import', () => {
    const server = 'http/server.ts';
    const planted = {
      'src/flow/neighbour.ts': `export type { Port } from '../${server}';\n`,
      'src/model/below.ts': `export type { Port } from '../${server}';\n`,
      'src/flow/a/deeper.ts': `export type { Port } from '../../${server}';\n`,
      'src/flow/effect.ts': `import '../${server}';\n`,
      'src/flow/running.ts': `export const http = import('../${server}');\n`,
    };
    for (const [path, text] of Object.entries(planted)) plant(path, text);
    const { passed, told } = lint();
    expect(passed).toBe(false);
    for (const path of Object.keys(planted)) expect(told).toContain(path);
    expect(told.match(/imports from floors above its own only/g)).toHaveLength(Object.keys(planted).length);
  });

  it('reach as deep as there are folders', () => {
    plant('src/flow/a/b/planted.ts', "export type { Port } from '../../../http/server.ts';\n");
    expect(lint().told).toContain('imports from floors above its own only');
    plant('src/flow/a/b/c/planted.ts', 'export type Port = number;\n');
    const { passed, told } = lint();
    expect(told).toContain('src/flow/a/b/c: deeper than the rules of floors.ts reach');
    expect(passed).toBe(false);
  });

  it('must name every folder', () => {
    plant('src/gossip/planted.ts', 'export type Port = number;\n');
    const { passed, told } = lint();
    expect(told).toContain('src/gossip: name it in floors.ts');
    expect(passed).toBe(false);
  });
});

function plant(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

function lint(): { passed: boolean; told: string } {
  const { status, stdout, stderr } = spawnSync(join(CHECKOUT, 'node_modules/.bin/oxlint'), [], {
    cwd: folder,
    encoding: 'utf8',
  });
  return { passed: status === 0, told: stdout + stderr };
}
