import { timingSafeEqual } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync, statSync, type BigIntStats } from 'node:fs';
import { errnoOf, IsyncError } from '../model/isync-error.ts';
import type { Log } from '../model/log.ts';
import { type DeviceRetention, parseRetain } from './device-retention.ts';
import {
  type DeviceEntry,
  invalidTokenFile,
  parseTokenFile,
  type TokenAccess,
  type TokenEntry,
} from './token-entries.ts';
import { hashToken } from './tokens.ts';

/** How often the file is checked for revoked tokens, in ms: their sessions end within about a second. */
const POLL_MS = 1000;
/** Largest token file in bytes: some thousand devices. Every authentication compares with all of them. */
const MAX_FILE_BYTES = 1024 * 1024;
/** Permission bits of group and others. */
const NOT_OWNER = 0o077n;

export interface TokenIdentity {
  readonly device: string;
  /** Of the token. */
  readonly id: string;
  readonly access: TokenAccess;
}

/**
 * The tokens that are valid now. The file is read again whenever it has changed. When it becomes unreadable or malformed,
 * the tokens read before stay valid and the log says so. Dispose it after the server that asks it.
 */
export interface TokenFile extends Disposable {
  /** Takes the same time for every token, right or wrong. */
  authenticate(token: string): TokenIdentity | undefined;
  /** Whether this device has a token that may write. */
  has(device: string): boolean;
  /** What is said of how long the sealed directories of this device stay. */
  retentionOf(device: string): DeviceRetention;
  /** Whether that is said of any device. */
  readonly saysRetention: boolean;
  /** Calls `listener` whenever the file was read again. Returns what removes the listener. */
  onRead(listener: () => void): () => void;
  /** Calls `listener` with the ids of tokens that were removed from the file. Returns what removes the listener. */
  onRevoked(listener: (ids: ReadonlySet<string>) => void): () => void;
}

export interface TokenFileOptions {
  /** Why no device may have a retention of its own: a file that says one is refused at the start, and told of later. Default: each may. */
  readonly noRetention?: string | undefined;
}

/** @throws IsyncError CONFIG_INVALID where the file is missing, unreadable or malformed */
export function openTokenFile(path: string, log: Log, options: TokenFileOptions = {}): TokenFile {
  return new WatchedTokenFile(path, log, options);
}

interface KnownToken extends TokenIdentity {
  readonly hash: Buffer;
}

class WatchedTokenFile implements TokenFile {
  readonly #path: string;
  readonly #log: Log;
  readonly #listeners = new Set<(ids: ReadonlySet<string>) => void>();
  readonly #poll: NodeJS.Timeout;
  /** Version of the file at the last attempt to read it. */
  #version: string;
  #unusable = false;
  #tokens: readonly KnownToken[];
  #retentions: ReadonlyMap<string, DeviceRetention> = new Map();
  readonly #noRetention: string | undefined;
  readonly #readers = new Set<() => void>();

  constructor(path: string, log: Log, { noRetention }: TokenFileOptions) {
    this.#path = path;
    this.#noRetention = noRetention;
    this.#log = log;
    this.#version = versionOf(path);
    this.#tokens = this.#read();
    const fault = this.#retentionFault();
    if (fault !== undefined) throw fault;
    this.#poll = setInterval(() => this.#refresh(), POLL_MS);
    this.#poll.unref();
  }

  authenticate(token: string): TokenIdentity | undefined {
    this.#refresh();
    const hash = hashToken(token);
    let found: TokenIdentity | undefined;
    // No early exit: the time must not tell how far the search went.
    for (const known of this.#tokens) if (timingSafeEqual(known.hash, hash)) found = known;
    return found && { device: found.device, id: found.id, access: found.access };
  }

  has(device: string): boolean {
    return this.#tokens.some((known) => known.device === device && known.access === 'write');
  }

  retentionOf(device: string): DeviceRetention {
    return this.#retentions.get(device) ?? {};
  }

  get saysRetention(): boolean {
    return this.#retentions.size > 0;
  }

  onRead(listener: () => void): () => void {
    this.#readers.add(listener);
    return () => this.#readers.delete(listener);
  }

  onRevoked(listener: (ids: ReadonlySet<string>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#poll);
  }

  #refresh(): void {
    const version = versionOf(this.#path);
    const changed = version !== this.#version;
    // An unusable file may become readable without a change: after too many open files, an I/O error.
    if (!changed && !this.#unusable) return;
    this.#version = version;
    const before = this.#tokens;
    try {
      this.#tokens = this.#read();
      this.#unusable = false;
    } catch (error) {
      this.#unusable = true;
      if (!changed) return;
      this.#log.error('the token file has become unusable: the tokens read before stay in force', {
        err: error,
      });
      return;
    }
    this.#log.info('the token file was read again', { tokens: this.#tokens.length });
    // Its tokens count all the same: one may have been revoked.
    const fault = this.#retentionFault();
    if (fault !== undefined) this.#log.error('retention of devices is not heeded here', { err: fault });
    const kept = new Set(this.#tokens.map(keyOf));
    const revoked = new Set(before.filter((token) => !kept.has(keyOf(token))).map(({ id }) => id));
    if (revoked.size > 0) for (const listener of this.#listeners) listener(revoked);
    for (const listener of this.#readers) listener();
  }

  #read(): KnownToken[] {
    const { json, mode } = readSmallFile(this.#path);
    const { tokens, devices = {} } = parseTokenFile(json, this.#path);
    this.#retentions = retentionsOf(devices);
    if ((mode & NOT_OWNER) !== 0n)
      this.#log.warn('the token file can be read by others than its owner: chmod 600', { path: this.#path });
    return tokens.map(known);
  }

  /** What says that a device has a retention, where none can have one. */
  #retentionFault(): IsyncError | undefined {
    if (this.#noRetention === undefined || this.#retentions.size === 0) return undefined;
    return invalidTokenFile(this.#path, `it says how long directories stay, and ${this.#noRetention}`, {
      hint: 'Take "devices" out of the file, or give this receiver a file of its own.',
    });
  }
}

function known({ id, device, sha256, access }: TokenEntry): KnownToken {
  return { id, device, access: access ?? 'write', hash: Buffer.from(sha256, 'hex') };
}

function retentionsOf(devices: Readonly<Record<string, DeviceEntry>>): Map<string, DeviceRetention> {
  return new Map(
    Object.entries(devices).map(([device, { retain, retainLast }]) => [
      device,
      { retainMs: retain === undefined ? undefined : parseRetain(retain), retainLast },
    ]),
  );
}

/** An id with another device, access or hash is another token. */
function keyOf({ id, device, access, hash }: KnownToken): string {
  return `${id} ${device} ${access} ${hash.toString('hex')}`;
}

/** A text that differs for every version of the file, for a missing file and for each error of stat. */
function versionOf(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch (error) {
    return errnoOf(error) ?? 'unknown error';
  }
}

function readSmallFile(path: string): { json: string; mode: BigIntStats['mode'] } {
  try {
    const file = openSync(path, 'r');
    try {
      const { mode, size } = fstatSync(file, { bigint: true });
      if (size > MAX_FILE_BYTES) throw invalidTokenFile(path, `it is larger than ${MAX_FILE_BYTES} bytes`);
      const bytes = Buffer.alloc(Number(size));
      const length = readSync(file, bytes, 0, bytes.length, 0);
      return { json: bytes.toString('utf8', 0, length), mode };
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (error instanceof IsyncError) throw error;
    throw invalidTokenFile(path, error instanceof Error ? error.message : String(error), { cause: error });
  }
}
