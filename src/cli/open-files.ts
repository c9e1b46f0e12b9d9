import { readFileSync } from 'node:fs';
import type { ReceiveConfig } from '../config/schemas/receive.ts';
import type { Log } from '../model/log.ts';
import { MAX_OPEN_UPLOADS } from '../protocol/limits.ts';
import { DEFAULT_MAX_CONNECTIONS } from '../receiver/receiver-limits.ts';

/** What Node itself, listening sockets and connections that are not admitted yet take. */
const BESIDE = 256;
/** A scan: four pipes for each of 64 watched directories, and files on their way. */
export const FILES_OF_SCAN = 512;

/** Returns the files that a receiver may have open at a time, sockets among them. */
export function filesOfReceiver({
  maxConnections = DEFAULT_MAX_CONNECTIONS,
}: Pick<ReceiveConfig, 'maxConnections'>): number {
  return maxConnections * (1 + MAX_OPEN_UPLOADS) + BESIDE;
}

export interface OpenFilesFault {
  readonly message: string;
  readonly hint: string;
}

/** Returns why `limit` is too low for `needed` open files; undefined where it is not, or not known. */
export function openFilesFault(limit: number | undefined, needed: number): OpenFilesFault | undefined {
  if (limit === undefined || limit >= needed) return undefined;
  return {
    message: `this process may have ${limit} open files, and at its busiest needs ${needed}`,
    hint: `Raise the limit of open files (ulimit -n, LimitNOFILE=) to ${needed} or more.`,
  };
}

/** Logs that the limit of open files is too low. */
export function warnOfFewFiles(log: Log, needed: number): void {
  const fault = openFilesFault(openFilesLimit(), needed);
  if (fault !== undefined) log.warn(fault.message, { hint: fault.hint });
}

/** Returns how many files this process may open (Node has raised it to the hard limit); undefined where no /proc tells. */
export function openFilesLimit(): number | undefined {
  try {
    const [, soft] =
      /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? undefined : soft === 'unlimited' ? Infinity : Number(soft);
  } catch {
    return undefined;
  }
}
