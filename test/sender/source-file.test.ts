import { execFileSync } from 'node:child_process';
import { appendFileSync, linkSync, mkdirSync, rmSync, truncateSync, unlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { IsyncError } from '../../src/model/isync-error.ts';
import type { SourceFile } from '../../src/sender/target.ts';
import { usingForTest } from './receiver-fixture.ts';
import { noise, SourceFolder } from './source-folder.ts';

let folder: SourceFolder;

beforeEach(() => {
  folder = usingForTest(new SourceFolder());
});

describe('a source file', () => {
  it('is read whole', () => {
    const content = noise(70_000);
    expect(folder.write('DC1/a', content).readWhole()).toEqual(content);
    expect(folder.write('DC1/empty', '').readWhole()).toHaveLength(0);
  });

  it('is read into memory that is given, where there is room', () => {
    const content = noise(100);
    const memory = Buffer.alloc(150);
    const source = folder.write('DC1/a', content);
    const read = source.readWhole(memory);
    expect(read).toEqual(content);
    expect(memory.subarray(0, 100)).toEqual(content);
    expect(source.readWhole(memory.subarray(100))).toEqual(content);
    expect(memory.subarray(100)).toEqual(Buffer.alloc(50));
  });

  it('is read in pieces, short only at its end', async () => {
    const content = noise(1000);
    const reader = await folder.write('DC1/a', content).open();
    const into = Buffer.alloc(600);
    expect(await reader.read([into], 0)).toBe(600);
    expect(into).toEqual(content.subarray(0, 600));
    expect(await reader.read([into], 600)).toBe(400);
    expect(into.subarray(0, 400)).toEqual(content.subarray(600));
    expect(await reader.read([into], 1000)).toBe(0);
    const parts = [Buffer.alloc(300), Buffer.alloc(0), Buffer.alloc(500), Buffer.alloc(900)];
    expect(await reader.read(parts, 100)).toBe(900);
    expect(Buffer.concat(parts).subarray(0, 900)).toEqual(content.subarray(100));
    await reader.check();
    await reader[Symbol.asyncDispose]();
    await reader[Symbol.asyncDispose]();
  });

  it.each<[string, (path: string) => void]>([
    ['grew', (path) => appendFileSync(path, 'x')],
    ['shrank', (path) => truncateSync(path, 10)],
    ['was replaced', (path) => folder.write('DC1/a', (unlinkSync(path), noise(100)))],
    ['got another name', (path) => linkSync(path, `${path}2`)],
  ])('that %s is refused', async (_, change) => {
    const source = folder.write('DC1/a', noise(100));
    const reader = await source.open();
    change(folder.path('DC1/a'));
    expect(refusal(source)).toBe('FILE_CHANGED');
    await expect(source.open()).rejects.toMatchObject({ code: 'FILE_CHANGED' });
    await expect(reader.check()).rejects.toMatchObject({ code: 'FILE_CHANGED', path: 'DC1/a' });
    await reader[Symbol.asyncDispose]();
  });

  it.each<[string, (path: string) => void | Promise<void>]>([
    ['a folder', (path) => mkdirSync(path)],
    ['a FIFO', (path) => void execFileSync('mkfifo', [path])],
    ['a socket', (path) => listenAt(path)],
  ])('that became %s is refused, without waiting', async (_, make) => {
    const source = folder.write('DC1/a', noise(100));
    rmSync(folder.path('DC1/a'));
    await make(folder.path('DC1/a'));
    expect(refusal(source)).toBe('NOT_REGULAR');
    await expect(source.open()).rejects.toMatchObject({ code: 'NOT_REGULAR' });
  });

  it('whose folder is gone, or a file now, has vanished', () => {
    const source = folder.write('DC1/sub/a', noise(100));
    rmSync(folder.path('DC1/sub'), { recursive: true });
    expect(refusal(source)).toBe('FILE_VANISHED');
    folder.write('DC1/sub', 'a file');
    expect(refusal(source)).toBe('FILE_VANISHED');
  });
});

function refusal(source: SourceFile): string | undefined {
  try {
    source.readWhole();
  } catch (error) {
    return error instanceof IsyncError ? error.code : String(error);
  }
  return undefined;
}

async function listenAt(path: string): Promise<void> {
  const server = createServer().listen(path);
  onTestFinished(() => void server.close());
  await once(server, 'listening');
}
