import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect, type TestContext } from 'vitest';
import { lacks } from '../../harness/tools.ts';
import { type StoreFolder, useStoreFolder } from './folder.ts';

const resolved = (path: string): string => JSON.stringify(import.meta.resolve(path));

/** A system call: between `began` and `ended` (line numbers of the trace), successful. */
export interface Call {
  readonly name: string;
  /** The paths it names, and those of its file descriptors. */
  readonly paths: readonly string[];
  readonly began: number;
  readonly ended: number;
}

/** Traces the system calls of a store in a folder of its own for every test. */
export function useSystemCalls() {
  const folder: StoreFolder = useStoreFolder();
  return { folder, trace, marksIn, expectDurableBefore };

  /**
   * Runs `script` with the store open and traces it. `mark(text)` in it shows up as a rename to a path that ends so.
   * `fault` makes system calls fail: see `inject` in strace(1).
   */
  function trace({ skip }: TestContext, script: string, fault?: string): Call[] {
    if (lacks('strace')) skip('strace is not installed');
    const output = join(folder.outside, 'trace');
    const program = `
      import { closeSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
      import { openFileStore } from ${resolved('../../src/store/file/file-store.ts')};
      import { createDigester } from ${resolved('../../src/model/digest.ts')};
      import { begin, CONTENT, finish, LARGE } from ${resolved('./large-file.ts')};
      import { sameVersion } from ${resolved('../../src/model/file-entry.ts')};
      import { manyOutcomes, putBytes, wholeFile } from ${resolved('../suites/store/files.ts')};
      const [, root, outside] = process.argv;
      const codeOf = (call) => call.then(() => 'kept', (error) => error.code + '-' + error.retryable);
      const mark = (text) => {
        writeFileSync(outside + '/unmarked', '');
        renameSync(outside + '/unmarked', outside + '/' + text);
      };
      await using store = await openFileStore(root);
      ${script}`;
    const calls = 'trace=close,unlink,rmdir,pread64,fdatasync,fsync,rename,renameat,renameat2,linkat,link';
    const node = [process.execPath, '--input-type=module', '-e', program, folder.root, folder.outside];
    const faults = fault === undefined ? [] : ['-e', `inject=${fault}`];
    execFileSync(
      'strace',
      ['-f', '--seccomp-bpf', '-y', '-s', '4096', '-e', calls, ...faults, '-o', output, ...node],
      {
        // One thread, because strace counts the calls of each for itself.
        env: { ...process.env, UV_THREADPOOL_SIZE: fault === undefined ? '16' : '1' },
      },
    );
    return parseTrace(readFileSync(output, 'utf8'));
  }

  /** The marks, in their order. */
  function marksIn(calls: readonly Call[]): string[] {
    const marks = calls
      .filter(({ name }) => name.startsWith('rename'))
      .map(({ paths }) => paths.at(-1) ?? '')
      .filter((path) => dirname(path) === folder.outside);
    return marks.map((path) => basename(path));
  }

  /** Data durable, then the name, then the folder, and all of that before `mark`; returns the rename. */
  function expectDurableBefore(calls: readonly Call[], path: string, mark: string): Call {
    const renamed = renameTo(calls, join(folder.root, path));
    const marked = renameTo(calls, join(folder.outside, mark));
    expect(syncsOf(calls, renamed.paths[0]!).some(({ ended }) => ended < renamed.began)).toBe(true);
    expect(syncedBetween(calls, dirname(join(folder.root, path)), renamed, marked)).toBe(true);
    return renamed;
  }
}

export function parseTrace(text: string): Call[] {
  const calls: Call[] = [];
  const unfinished = new Map<string, { line: string; began: number }>();
  for (const [at, line] of text.split('\n').entries()) {
    const [, pid = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (rest.endsWith('<unfinished ...>')) unfinished.set(pid, { line: rest, began: at });
    else {
      const resumed = rest.startsWith('<... ') ? unfinished.get(pid) : undefined;
      const call = (resumed?.line ?? '') + rest;
      const [, name = ''] = /^(\w+)\(/.exec(call) ?? [];
      const paths = [...call.matchAll(/"([^"]*)"|\d<([^>]*)>/g)].map(([, path, ofFd]) => path ?? ofFd ?? '');
      if (name !== '' && call.endsWith(' = 0'))
        calls.push({ name, paths, began: resumed?.began ?? at, ended: at });
    }
  }
  return calls;
}

/** The one call that gave `path` its name without replacing anything. */
export function linkTo(calls: readonly Call[], path: string): Call {
  const found = calls.filter(({ name, paths }) => name.startsWith('link') && paths.at(-1) === path);
  expect(found).toHaveLength(1);
  return found[0]!;
}

export function renameTo(calls: readonly Call[], path: string): Call {
  const found = calls.filter(({ name, paths }) => name.startsWith('rename') && paths.at(-1) === path);
  expect(found).toHaveLength(1);
  return found[0]!;
}

export const syncsOf = (calls: readonly Call[], path: string): Call[] =>
  calls.filter(({ name, paths }) => name === 'fsync' && paths[0] === path);

export function syncedBetween(calls: readonly Call[], path: string, after: Call, before: Call): boolean {
  return syncsOf(calls, path).some(({ began, ended }) => began > after.ended && ended < before.began);
}
