import { resolve } from 'node:path';
import { isWithin } from '../model/is-within.ts';
import { MAX_KEY_BYTES } from '../model/object-key.ts';
import { relPathFault } from '../model/rel-path.ts';
import { isRecord, type ValuePath } from './config-file.ts';
import type { Fault, Given } from './from-file.ts';
import { badValue, splitList } from './values.ts';

/** A prefix of keys, and the folder that has what is below it. */
export interface Mapping {
  /** '' for the whole bucket; else it ends with "/". */
  readonly prefix: string;
  /** Absolute. */
  readonly folder: string;
}

/** A pair as it was given, with where it stands in the setting. */
interface Pair {
  readonly at: ValuePath;
  readonly prefix: string;
  readonly folder: unknown;
}

/**
 * Parses prefix → folder: a map, a list of maps (each usually of one pair), or texts like PREFIX=FOLDER. A prefix without a "/"
 * at its end means that folder, so that `web` is not `website/`.
 */
export function parseSync(given: Given, fault: Fault): readonly Mapping[] {
  if (given.value === undefined) throw badValue('is missing');
  const entries = new Map<string, string>();
  for (const { at, prefix, folder } of pairsOf(given.value, fault)) {
    const whole = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
    const reason = prefixFault(whole) ?? (entries.has(whole) ? 'is given twice' : undefined);
    if (reason !== undefined) fault(`is for a prefix that ${reason}`, at);
    const path = folderFrom(folder, given, (message) => fault(message, at));
    if (reason !== undefined || path === undefined) continue;
    entries.set(whole, path);
  }
  if (entries.size === 0 && isEmpty(given.value))
    throw badValue('is empty; it is like { "PREFIX/": FOLDER }');
  return [...entries].map(([prefix, folder]) => ({ prefix, folder }));
}

function pairsOf(value: unknown, fault: Fault): Pair[] {
  if (isRecord(value)) return mapPairs(value, []);
  if (typeof value === 'string') return splitList(value).flatMap((text) => textPair(text, [], fault));
  if (!Array.isArray(value)) throw badValue('is neither a map of prefixes nor a list of such maps');
  return value.flatMap((item: unknown, at) => {
    if (isRecord(item)) return mapPairs(item, [at]);
    if (typeof item === 'string') return textPair(item, [at], fault);
    fault('is no map like { "PREFIX/": FOLDER }', [at]);
    return [];
  });
}

function mapPairs(map: Readonly<Record<string, unknown>>, at: ValuePath): Pair[] {
  return Object.entries(map).map(([prefix, folder]) => ({ at: [...at, prefix], prefix, folder }));
}

/** The last "=" parts the two: prefixes like `year=2026/` are common, and such folders are not. */
function textPair(text: string, at: ValuePath, fault: Fault): Pair[] {
  const equals = text.lastIndexOf('=');
  if (equals >= 0) return [{ at, prefix: text.slice(0, equals), folder: text.slice(equals + 1) }];
  fault('is not PREFIX=FOLDER', at);
  return [];
}

/** Why a whole prefix is none; goes on from it. A key below it must be able to become a path. */
function prefixFault(prefix: string): string | undefined {
  if (prefix === '') return undefined;
  if (prefix.startsWith('s3://')) return 'is an address; one begins behind the bucket';
  if (Buffer.byteLength(prefix) > MAX_KEY_BYTES) return `is longer than the ${MAX_KEY_BYTES} bytes of a key`;
  if (prefix.startsWith('/')) return 'begins with "/"; write it as keys begin, or "" for the whole bucket';
  const fault = relPathFault(prefix.slice(0, -1));
  return fault && `${fault}, so that no key below it could become a path; map one above it`;
}

/** Undefined where it is none, which is told. */
function folderFrom(folder: unknown, given: Given, fault: (message: string) => void): string | undefined {
  const reason = folderFault(folder);
  if (reason !== undefined || typeof folder !== 'string') {
    fault(reason ?? 'is no folder');
    return undefined;
  }
  const path = resolve(given.folder, folder);
  if (given.file !== undefined && isWithin(resolve(given.file), path)) {
    fault('is a folder with the config file in it, which an object could replace');
    return undefined;
  }
  return path;
}

function folderFault(folder: unknown): string | undefined {
  if (typeof folder !== 'string') return 'is no folder, but a list or map';
  if (folder === '') return 'is no folder';
  if (folder.includes('\0')) return 'has a NUL character';
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(folder)) return 'is an address, not a folder';
  return undefined;
}

function isEmpty(value: unknown): boolean {
  return (
    (isRecord(value) ? Object.keys(value) : Array.isArray(value) ? value : String(value).trim()).length === 0
  );
}
