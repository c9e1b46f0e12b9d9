import { existsSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Problem } from '../../../src/model/problem.ts';
import { parseRelPath } from '../../../src/model/rel-path.ts';
import { createIgnoreRule } from '../../../src/scanner/ignore-rule.ts';
import type { ExpireOptions } from '../../../src/sender/expire/expire-options.ts';
import { expire } from '../../../src/sender/expire/expire.ts';
import { createStoreTarget } from '../../../src/sender/store-target/store-target.ts';
import { scan } from '../../../src/sender/scan/scan.ts';
import type { Target } from '../../../src/sender/target.ts';
import { createMemoryContents, createMemoryStore } from '../../../src/store/memory/memory-store.ts';
import { RecordingLog } from '../../recording-log.ts';
import { PATIENT, usingForTest } from '../receiver-fixture.ts';
import { bound, DEFAULT_IGNORE, optionsFor, setup } from '../scan-fixture.ts';

export const DAY_MS = 86_400_000;

/** A root whose directories are sealed at a store in memory, some days ago each. */
export async function sealed(days: Readonly<Record<string, number>> = { DC1: 3 }) {
  const { root, at, write } = setup();
  const contents = createMemoryContents();
  const store = usingForTest(createMemoryStore(contents));
  const target = usingForTest(createStoreTarget(store, { device: 'edge1', digest: 'xxh64', retry: PATIENT }));
  for (const name of Object.keys(days)) {
    for (const file of ['a', 'sub/b', 'c']) write(`${name}/${file}`);
    write(`${name}/finished.parse`);
  }
  await scan(optionsFor(root, target).options);
  for (const [name, count] of Object.entries(days)) age(join(root, name), count);
  const run = async (changes: Partial<ExpireOptions> = {}) => {
    const kept: Problem[] = [];
    const expired: string[] = [];
    const log = new RecordingLog();
    const { summary, failure } = await expire({
      root,
      target,
      tag: '',
      ignore: createIgnoreRule(DEFAULT_IGNORE),
      newest: 'birthtime',
      keepMs: DAY_MS,
      minFree: undefined,
      keepAtLeastMs: DAY_MS,
      maxDelete: undefined,
      dryRun: false,
      readBack: false,
      targetName: 'memory',
      signal: new AbortController().signal,
      observer: {
        compared: () => undefined,
        expired: ({ name }) => void expired.push(name),
        kept: (_directory, problem) => void kept.push(problem),
      },
      log,
      ...changes,
    });
    return { summary, failure, expired, kept, log, told: kept.map(({ code, path }) => `${code} ${path}`) };
  };
  return {
    root,
    at,
    write,
    contents,
    store,
    target,
    run,
    has: (path: string) => existsSync(at(path)),
    lines: () => linesOf(join(root, '.isync/expired.jsonl')),
    lose: (path: string) => contents.files.delete(parseRelPath(`edge1/${path}`)),
    rot: (path: string) => rot(contents, path),
  };
}

/** A target that does `act` once, after it has answered with digests and before its answer counts. */
export function afterLook(target: Target, act: () => void): Target {
  let done = false;
  return {
    ...bound(target),
    look: async (paths, options) => {
      const records = await target.look(paths, options);
      if (!done && options?.digest === true) {
        done = true;
        act();
      }
      return records;
    },
  };
}

/** Makes the seal of a directory some days old. */
export function age(directory: string, days: number): void {
  const path = join(directory, 'finished.watch');
  const { atimeMs, mtimeMs } = statSync(path);
  const record = JSON.parse(readFileSync(path, 'utf8')) as { finished: string };
  record.finished = new Date(Date.now() - days * DAY_MS).toISOString();
  writeFileSync(path, `${JSON.stringify(record)}\n`);
  utimesSync(path, atimeMs / 1000, mtimeMs / 1000);
}

function rot(contents: ReturnType<typeof createMemoryContents>, path: string): void {
  const where = parseRelPath(`edge1/${path}`);
  const file = contents.files.get(where);
  if (file === undefined) throw new Error(`nothing is kept under ${path}`);
  contents.files.set(where, { ...file, bytes: Buffer.alloc(file.bytes.length, 'x') });
}

function linesOf(path: string): { name: string; files: number; bytes: number; device: string }[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { name: string; files: number; bytes: number; device: string });
}
