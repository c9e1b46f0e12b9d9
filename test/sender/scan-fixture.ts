import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { IgnoreSetting } from '../../src/scanner/ignore-setting.ts';
import { scanSchema } from '../../src/config/schemas/scan.ts';
import { ignorePatterns } from '../../src/config/schemas/sender.ts';
import type { Problem } from '../../src/model/problem.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { KeptOpen } from '../../src/sender/kept-open.ts';
import { createStoreTarget } from '../../src/sender/store-target/store-target.ts';
import type { ScanOptions } from '../../src/sender/scan/scan-options.ts';
import { scan, type ScanResult } from '../../src/sender/scan/scan.ts';
import type { Target } from '../../src/sender/target.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { PATIENT, usingForTest } from './receiver-fixture.ts';
import { SourceFolder } from './source-folder.ts';
import { RecordingLog } from '../recording-log.ts';

const DEVICE = 'edge1';
/** What the command would pass on where only root and target are given. */
const DEFAULTS = scanSchema.parse({ root: '/root', to: '/target', onSeal: undefined, onProblem: undefined });
export const DEFAULT_IGNORE = ignorePatterns(DEFAULTS);
export const OLD_SECONDS = 1_000_000_000;

/** A root, and a target over a store in memory. */
export function setup() {
  const folder = usingForTest(new SourceFolder());
  const store = usingForTest(createMemoryStore());
  const target = usingForTest(createStoreTarget(store, { device: DEVICE, digest: 'xxh64', retry: PATIENT }));
  const at = (path: string): string => join(folder.root, path);
  return {
    root: folder.root,
    store,
    target,
    at,
    write: (path: string, content = path): void => {
      mkdirSync(join(at(path), '..'), { recursive: true });
      writeFileSync(at(path), content);
    },
    /** Size of what the target holds under `path`; undefined where nothing. */
    kept: async (path: string): Promise<number | undefined> =>
      (await store.stat(parseRelPath(`${DEVICE}/${path}`)))?.size,
  };
}

/** The command's own defaults, but for what would make tests wait. */
export function optionsFor(root: string, target: Target, changes: Partial<ScanOptions> = {}) {
  const log = new RecordingLog();
  const problems: Problem[] = [];
  const sealed: string[] = [];
  const options: ScanOptions = {
    root,
    target,
    once: true,
    tag: DEFAULTS.tag,
    complete: 'settle',
    settleMs: 20,
    quietMs: 50,
    newest: DEFAULTS.newest,
    marks: DEFAULTS.marks,
    maxWatched: DEFAULTS.maxWatched,
    reopen: DEFAULTS.reopen,
    ignore: new IgnoreSetting(DEFAULT_IGNORE),
    signal: new AbortController().signal,
    observer: {
      sent: () => undefined,
      transferred: () => undefined,
      problem: (problem) => void problems.push(problem),
      directory: (name, _state, isSealed) => void (isSealed && sealed.push(name)),
    },
    keptOpen: new KeptOpen(undefined),
    log,
    ...changes,
  };
  return { options, log, problems, sealed };
}

/** A running daemon; the test ends when it has. */
export function follow(root: string, target: Target, changes: Partial<ScanOptions> = {}) {
  const stop = new AbortController();
  const told = optionsFor(root, target, { once: false, signal: stop.signal, ...changes });
  const ended = scan(told.options);
  const end = async (): Promise<ScanResult> => {
    stop.abort();
    return await ended;
  };
  onTestFinished(async () => void (await end()));
  return { ...told, end };
}

export const isMarked = (path: string): boolean => (statSync(path).mode & 0o020) !== 0;

/** The methods of a target as plain functions, to be replaced one by one. */
export function bound(target: Target): Target {
  return {
    traits: target.traits,
    identify: (options) => target.identify(options),
    put: (file, options) => target.put(file, options),
    look: (paths, options) => target.look(paths, options),
    retiredAt: (directory, options) => target.retiredAt(directory, options),
    list: (prefix, options) => target.list(prefix, options),
    seal: (directory, marker, options) => target.seal(directory, marker, options),
    refused: target.refused,
    stalled: false,
    [Symbol.asyncDispose]: async () => undefined,
  };
}
