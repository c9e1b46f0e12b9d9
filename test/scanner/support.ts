import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type FileIdentity, identityOf } from '../../src/model/file-identity.ts';
import { DEFAULT_IGNORE } from '../../src/model/default-ignore.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { createIgnoreRule } from '../../src/scanner/ignore-rule.ts';
import { listDirectory, type ListingTotals } from '../../src/scanner/list-directory.ts';
import type { Finding, ListedFile } from '../../src/scanner/listed-file.ts';

export const rel = parseRelPath;

/** An unprivileged user that owns nothing here: "nobody" on Debian; any other number would do. */
export const STRANGER = 65_534;

/** A time long enough ago for every clock tick, as utimes takes it. */
export const LONG_AGO = new Date('2020-01-02T03:04:05.678Z');

/** An empty root that everybody may look into; removed after the test. */
export function makeRoot(parent = tmpdir()): string {
  const root = mkdtempSync(join(parent, 'isync-scanner-'));
  chmodSync(root, 0o755);
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

/** Writes a file with everything above it. */
export function write(root: string, path: string, content = path): void {
  mkdirSync(dirname(`${root}/${path}`), { recursive: true });
  writeFileSync(`${root}/${path}`, content, { mode: 0o644 });
}

/** Node has no call for it. */
export function makeFifo(path: string): void {
  execFileSync('sh', ['-c', 'mkfifo "$1"', '-', path]);
}

export function seen(root: string, path: string): FileIdentity {
  return identityOf(lstatSync(`${root}/${path}`));
}

/** Runs something synchronous with another user's rights. Only root can. */
export function asStranger<T>(action: () => T): T {
  process.setegid?.(STRANGER);
  process.seteuid?.(STRANGER);
  try {
    return action();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
}

/** The open files and folders of this process at or below `root`. Linux only. */
export function openBelow(root: string): string[] {
  return readdirSync('/proc/self/fd')
    .map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        // That of the reading of /proc/self/fd itself.
        return '';
      }
    })
    .filter((path) => path.startsWith(root));
}

export interface Findings {
  readonly files: readonly ListedFile[];
  /** Sorted. */
  readonly paths: readonly string[];
  /** `CODE path`, sorted. */
  readonly problems: readonly string[];
}

export function summary(batches: readonly (readonly Finding[])[]): Findings {
  const findings = batches.flat();
  const files = findings.flatMap((finding) => (finding.kind === 'file' ? [finding.file] : []));
  const problems = findings.flatMap((finding) => (finding.kind === 'problem' ? [finding.problem] : []));
  return {
    files,
    paths: files.map((file) => file.entry.path).sort(),
    problems: problems.map((problem) => `${problem.code} ${problem.path}`).sort(),
  };
}

export interface Listing extends Findings {
  readonly batches: readonly (readonly Finding[])[];
  readonly totals: ListingTotals;
}

export async function list(
  root: string,
  directory = 'DC1',
  patterns: readonly string[] = DEFAULT_IGNORE,
): Promise<Listing> {
  const batches: (readonly Finding[])[] = [];
  const listing = listDirectory(root, rel(directory), { ignore: createIgnoreRule(patterns) });
  for (;;) {
    const next = await listing.next();
    if (next.done === true) return { ...summary(batches), batches, totals: next.value };
    batches.push(next.value);
  }
}
