import type { Standing } from '../../backup/catalogue/standing.ts';
import type { Manifest } from '../../backup/manifest/manifest.ts';
import { printable } from '../../observe/printable.ts';
import { formatBytes } from '../../observe/units.ts';
import { tableOf } from '../table.ts';

export interface ListedBackup {
  readonly standing: Standing;
  /** In ms since the epoch; undefined: not locked, or nobody has asked for locks. */
  readonly lockedUntilMs: number | undefined;
}

/** Versions of a chain that are told; the first is the full one. */
const MOST_NEEDED = 4;
/** As in names. */
const VERSION_DIGITS = 3;
const HEAD = ['NAME', 'TYPE', 'TIME', 'SIZE', 'FILES', 'STATE', 'NEEDS'] as const;
/** Columns of numbers, which end on the right. */
const NUMBERS: ReadonlySet<string> = new Set(['SIZE', 'FILES']);

/** For people. */
function lineOf(listed: ListedBackup): readonly string[] {
  const { manifest } = listed.standing.backup;
  const { name, type, startedMs, archive, counts } = manifest;
  return [
    printable(name),
    type,
    secondsOf(startedMs),
    formatBytes(archive.size),
    counts.files.toLocaleString('en-US'),
    stateText(listed),
    chainText(manifest),
  ];
}

/** Lines of a table with a head; nothing of nothing. */
export function tableOfBackups(backups: readonly ListedBackup[]): readonly string[] {
  return tableOf(HEAD, NUMBERS, backups.map(lineOf));
}

/** For programs: times in ISO 8601, sizes in bytes. */
export function listedObject(listed: ListedBackup): object {
  const { standing, lockedUntilMs } = listed;
  const { backup, fault } = standing;
  const { startedMs, finishedMs, base, problems, ...manifest } = backup.manifest;
  const { mark } = backup;
  return {
    ...manifest,
    base,
    started: isoOf(startedMs),
    finished: isoOf(finishedMs),
    problems,
    state: stateText(listed),
    damage: fault,
    verified: isoOf(readMs(standing)),
    mark: mark && { reason: mark.reason, by: mark.by, marked: isoOf(mark.markedMs) },
    lockedUntil: isoOf(lockedUntilMs),
  };
}

function stateText({ standing, lockedUntilMs }: ListedBackup): string {
  const { backup, fault } = standing;
  const { manifest, mark } = backup;
  const words = [
    fault === undefined ? undefined : 'damaged',
    mark === undefined ? undefined : `marked (${printable(mark.reason)})`,
    lockedUntilMs === undefined ? undefined : `locked to ${secondsOf(lockedUntilMs)}`,
    manifest.counts.torn > 0 ? `torn ${manifest.counts.torn}` : undefined,
    manifest.counts.problems > manifest.counts.torn ? `problems ${manifest.counts.problems}` : undefined,
    manifest.isShrunk ? 'half the size' : undefined,
    fault === undefined && readMs(standing) !== undefined ? 'verified' : undefined,
  ].filter((word) => word !== undefined);
  return words.length === 0 ? 'ok' : words.join(', ');
}

/** When a verification has read it: a listing alone proves little. In ms since the epoch. */
function readMs({ verifiedMs, depth }: Standing): number | undefined {
  return depth === 'shallow' ? undefined : verifiedMs;
}

function chainText({ needs, version }: Manifest): string {
  const older = needs
    .filter((need) => need.version !== version)
    .map((need) => String(need.version).padStart(VERSION_DIGITS, '0'));
  const [first = '', ...more] = older;
  return older.length > MOST_NEEDED
    ? [first, '…', ...more.slice(2 - MOST_NEEDED)].join(' ')
    : older.join(' ');
}

function secondsOf(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

function isoOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
