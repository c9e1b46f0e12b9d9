import {
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  type BigIntStats,
} from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { faultOf } from '../../harness/self-told.ts';

/**
 * Reads all files below the folders it is given, again and again, each as soon as it has changed, as a user's program would.
 * Ends with SIGTERM; then prints what it saw.
 */

export interface Seen {
  readonly rounds: number;
  /** Versions of files that were read whole. */
  readonly versions: number;
  readonly faults: readonly string[];
}

/** Where isync keeps what is not finished. */
const STAGING = '.isync';

const folders = process.argv.slice(2);
const known = new Map<string, string>();
const faults: string[] = [];
let rounds = 0;
let versions = 0;
const over = new AbortController();
process.on('SIGTERM', () => over.abort());
while (!over.signal.aborted) {
  for (const folder of folders) look(folder);
  rounds++;
  if (rounds === 1) console.log('ready');
  await setImmediate();
}
console.log(JSON.stringify({ rounds, versions, faults } satisfies Seen));

function look(folder: string): void {
  for (const entry of quietly(() => readdirSync(folder, { withFileTypes: true })) ?? []) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (entry.name !== STAGING) look(path);
    } else if (entry.isFile()) lookAt(path);
    else faults.push(`${path} is neither file nor folder`);
  }
}

function lookAt(path: string): void {
  const stat = quietly(() => statSync(path, { bigint: true }));
  if (stat === undefined || known.get(path) === versionOf(stat)) return;
  const fd = quietly(() => openSync(path, 'r'));
  if (fd === undefined) return;
  try {
    const version = versionOf(fstatSync(fd, { bigint: true }));
    const fault = faultOf(readFileSync(fd));
    if (fault !== undefined) faults.push(`${path}: ${fault}`);
    else versions++;
    known.set(path, version);
  } finally {
    closeSync(fd);
  }
}

function versionOf({ ino, size, mtimeNs }: BigIntStats): string {
  return `${ino} ${size} ${mtimeNs}`;
}

/** Undefined where it has vanished meanwhile. */
function quietly<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw thrown;
  }
}
