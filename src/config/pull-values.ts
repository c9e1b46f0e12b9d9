import { resolve } from 'node:path';
import { isBucketName } from '../model/bucket-name.ts';
import type { Given } from './from-file.ts';
import { notEmpty } from './fields.ts';
import { badValue, parseBoolean, parseCount, parseDuration } from './values.ts';

/** Most keys worked on at a time: each may hold a connection, an open file and some buffers. */
const MAX_CONCURRENCY = 1024;
/** Shortest time between two comparisons, in ms: each lists everything. */
const LEAST_RESYNC_MS = 60_000;
/** In front of the folder of a state without a config file beside it. */
const STATE_SUFFIX = '.state';

const ROLE_ARN = /^arn:[a-z0-9-]+:iam::\d{12}:role\/[\w+=,.@/-]{1,576}$/;

export function parseRoleArn(text: string): string {
  if (!ROLE_ARN.test(text)) throw badValue('is no ARN like arn:aws:iam::123456789012:role/NAME');
  return text;
}

export function parseAccount(text: string): string {
  if (!/^\d{12}$/.test(text)) throw badValue('is no account of 12 digits');
  return text;
}

/** Names of buckets of any store; some allow more than AWS does. */
export function parseBuckets(items: readonly string[]): readonly string[] {
  for (const item of items)
    if (!isBucketName(item)) throw badValue(`has "${item}", which is no name of a bucket`);
  return items;
}

export function parseConcurrency(text: string): number {
  const count = parseCount(text);
  if (count > MAX_CONCURRENCY)
    throw badValue(
      `is too many: the most is ${MAX_CONCURRENCY}, because each holds a connection, an open file and buffers`,
    );
  return count;
}

/** `false`, at the start, or also each so many ms. */
export type Resync = false | 'start' | number;

export function parseResync(text: string): Resync {
  if (text === 'start') return 'start';
  try {
    return parseBoolean(text) ? 'start' : false;
  } catch {
    // An interval needs its unit: a bare number may mean anything.
    if (!/[a-z]$/i.test(text)) throw badValue('is none of false, start and an interval like 6h');
    return parseDuration(text, 's', LEAST_RESYNC_MS);
  }
}

/** How many of the known files a resync may remove: a share of them, or a number. */
export type MaxDelete = { readonly percent: number } | { readonly files: number };

export function parseMaxDelete(text: string): MaxDelete {
  const [, number, percent] = /^(\d+(?:\.\d+)?) ?(%?)$/.exec(text.trim()) ?? [];
  const value = Number(number);
  if (number !== undefined && percent === '%' && value <= 100) return { percent: value };
  if (number !== undefined && percent === '' && Number.isSafeInteger(value)) return { files: value };
  throw badValue('is neither a share like 25 % nor a number of files');
}

/** Permission bits, from octal digits: `0644`. */
export function parseMode(text: string): number {
  if (!/^0?[0-7]{3}$/.test(text)) throw badValue('is no mode of three octal digits like 0644');
  const mode = Number.parseInt(text, 8);
  if ((mode & 0o020) !== 0)
    throw badValue('has the bit of writing for the group, by which isync scan knows what it has transferred');
  if ((mode & 0o400) === 0) throw badValue('keeps the owner from reading, which isync itself must');
  return mode;
}

/** A text is a program without arguments; a list has them behind. A program with a "/" in it is found from the file's folder. */
export function parseCommand({ value, folder }: Given): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /\s/.test(value))
    throw badValue('is one program, for there is no shell; with arguments it is a list: [PROGRAM, ARGUMENT]');
  const words: readonly unknown[] = Array.isArray(value) ? value : [value];
  const texts = words.filter((word) => typeof word === 'string');
  if (texts.length < words.length) throw badValue('is neither a program nor a list of words');
  const [program = '', ...args] = texts;
  if (program === '') throw badValue('is empty');
  if (texts.some((word) => word.includes('\0'))) throw badValue('has a NUL character');
  return [program.includes('/') ? resolve(folder, program) : program, ...args];
}

/**
 * Parses the folder with what a command remembers: unless it is given, beside the config file, with its name.
 * @param command stands for the name of the file where there is none
 */
export function parseState(command: string): (given: Given) => string {
  return ({ value, folder, file }) => {
    if (value === undefined) return resolve(`${file ?? command}${STATE_SUFFIX}`);
    if (typeof value !== 'string') throw badValue('is no single value');
    return resolve(folder, notEmpty(value));
  };
}
