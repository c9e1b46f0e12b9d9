import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { WATCH_MARKER } from '../model/markers.ts';
import type { RelPath } from '../model/rel-path.ts';

/** Longest marker that is read, in bytes: a record is less than 1 KiB. */
const MAX_RECORD_BYTES = 16 * 1024;
/** O_NONBLOCK: a FIFO under the marker's name does not hang the open. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const FINGERPRINT = /^[0-9a-f]{16}$/;

/** The content of `finished.watch`: the directory as it was when it was sealed. */
export interface SealRecord {
  /** When it was sealed, ISO 8601. */
  readonly finished: string;
  /** Its name. */
  readonly directory: string;
  /** Its st_dev and st_ino, and its birthtime in ms. */
  readonly device: number;
  readonly inode: number;
  readonly born: number;
  /** Identity of the store that has the files; undefined where that told none. */
  readonly store: string | undefined;
  /** Name of the device whose folder there has them; undefined in records of older versions. */
  readonly sentAs: string | undefined;
  /** Whether the parser's marker was there, and so is at the store; undefined in records of older versions. */
  readonly closed: boolean | undefined;
  /** Files that were durable there, the parser's marker not counted, and their bytes. */
  readonly files: number;
  readonly bytes: number;
  /** Of these files, as Fingerprint tells it. */
  readonly fingerprint: string;
}

/**
 * Returns the record in the marker of a data directory; undefined where there is no marker, where it can't be read, and
 * where it holds no record, as markers of older versions. Never throws.
 */
export function readSealRecord(root: string, directory: RelPath): SealRecord | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(`${root}/${directory}/${WATCH_MARKER}`, READ_FLAGS);
    const { size } = fstatSync(fd);
    if (size > MAX_RECORD_BYTES) return undefined;
    const bytes = Buffer.alloc(size);
    return parseSealRecord(bytes.toString('utf8', 0, readSync(fd, bytes, 0, size, 0)));
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** The record that `text` holds, or undefined where it is none. */
export function parseSealRecord(text: string): SealRecord | undefined {
  const fields = parseObject(text);
  if (fields === undefined) return undefined;
  const { finished, directory, device, inode, born, store, sentAs, closed, files, bytes, fingerprint } =
    fields;
  if (typeof finished !== 'string' || Number.isNaN(Date.parse(finished))) return undefined;
  if (typeof directory !== 'string' || directory === '') return undefined;
  if (!isCount(device) || !isCount(inode) || !isCount(files) || !isCount(bytes)) return undefined;
  if (typeof born !== 'number') return undefined;
  if (store !== null && (typeof store !== 'string' || store === '')) return undefined;
  if (sentAs !== undefined && typeof sentAs !== 'string') return undefined;
  if (closed !== undefined && typeof closed !== 'boolean') return undefined;
  if (typeof fingerprint !== 'string' || !FINGERPRINT.test(fingerprint)) return undefined;
  return {
    finished,
    directory,
    device,
    inode,
    born,
    store: store ?? undefined,
    sentAs,
    closed,
    files,
    bytes,
    fingerprint,
  };
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** Inode numbers of some file systems are beyond what a double holds exactly; lstat rounds them alike. */
function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0;
}
