import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { realpath } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Abortable } from '../../model/abortable.ts';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { livenessOf } from './process-identity.ts';
import { discard } from './stage-file.ts';
import { StagingArea } from './staging-area.ts';
import { storeError } from './system-errors.ts';

/** How often a holder shows that it lives, in ms. */
const BEAT_MS = 10_000;
/**
 * Time without a sign of life after which a holder on another machine counts as dead, in ms. Clocks of two machines are
 * never compared: a process that wants the lock watches the holder for this time.
 */
const PATIENCE_MS = 60_000;
/** How often it looks at the holder meanwhile, in ms. */
const LOOK_MS = 1_000;
/** Longest text that can be a lock, in bytes. */
const MAX_LOCK_BYTES = 1024;

export interface DeviceLockOptions extends Abortable {
  /** Called with the name of the holder when only waiting can tell whether it lives. Must not throw. */
  readonly onWait?: ((holder: string) => void) | undefined;
  readonly beatMs?: number | undefined;
  readonly patienceMs?: number | undefined;
}

/** A lock that is held until it is disposed of, or the process ends, however it ends. */
export interface DeviceLock extends AsyncDisposable {
  /** Resolves with FENCED when another process has the lock: somebody removed ours, or we were taken for dead. */
  readonly lost: Promise<IsyncError>;
}

/**
 * Takes the lock that lets one process at a time put files of `device` into the store in the folder `root` without a
 * receiver. It is the file `STORE/.isync/locks/DEVICE`. A killed holder loses it: at once where it ran in this container
 * since the last start of this machine; else when it has shown no life for {@link PATIENCE_MS}.
 *
 * @throws IsyncError FENCED when another one holds it, STORE_FULL, STORE_FAILED, …, or the signal's reason
 */
export async function lockDevice(
  root: string,
  device: string,
  options: DeviceLockOptions = {},
): Promise<DeviceLock> {
  try {
    const claim = new Claim(new StagingArea(await realpath(root)), device);
    try {
      claim.stage();
      await acquire(claim.path, claim, options);
    } finally {
      await claim.unstage();
    }
    return new HeldLock(claim, options.beatMs ?? BEAT_MS);
  } catch (error) {
    if (options.signal?.aborted === true && error === options.signal.reason) throw error;
    throw storeError(error, root);
  }
}

/** The file that a process which wants a lock puts in its place. */
class Claim {
  readonly device: string;
  readonly path: string;
  readonly staged: string;
  readonly text: string;
  readonly #area: StagingArea;

  constructor(area: StagingArea, device: string) {
    this.#area = area;
    this.device = device;
    this.path = join(area.folder, 'locks', device);
    this.staged = join(area.own, 'lock');
    const [since, owner] = [new Date().toISOString(), area.ownName];
    this.text = `${JSON.stringify({ owner, pid: process.pid, host: hostname(), since })}\n`;
  }

  /** Writes the file under a staged name. */
  stage(): void {
    this.#area.make();
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
    writeFileSync(this.staged, this.text);
  }

  /** Never rejects. */
  async unstage(): Promise<void> {
    await discard(this.staged);
    await this.#area[Symbol.asyncDispose]();
  }
}

/**
 * Resolves when the lock at `path` is ours. A dead holder's lock may be replaced only by the process that holds a second
 * lock, named after that holder: so nobody replaces the lock of a process that was quicker. The second lock is taken in
 * the same way, because its holder may die, too.
 */
async function acquire(path: string, claim: Claim, options: DeviceLockOptions): Promise<void> {
  for (;;) {
    options.signal?.throwIfAborted();
    if (place(claim.staged, path)) return;
    const holder = readHolder(path);
    if (holder === undefined) continue; // Released just now.
    if (!(await isDead(path, holder, options))) throw heldBy(holder, claim);
    // No device has such a name.
    const takeover = `${path}~${keyOf(holder)}`;
    await acquire(takeover, claim, options);
    if (readHolder(path)?.text === holder.text) {
      // The staged name is needed again where this one is a second lock itself.
      const copy = `${claim.staged}-taking-over`;
      copyFileSync(claim.staged, copy);
      renameSync(copy, path);
      unlinkSync(takeover);
      return;
    }
    unlinkSync(takeover);
  }
}

/** Gives the claim its name where `path` is free; tells whether it was. Never replaces anything. */
function place(staged: string, path: string): boolean {
  try {
    linkSync(staged, path);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EEXIST') return false;
    if (errno !== 'EPERM' && errno !== 'ENOTSUP' && errno !== 'ENOSYS') throw error;
  }
  try {
    // Without hard links: the name is exclusive all the same, and a process that reads it before its content waits.
    copyFileSync(staged, path, constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
}

interface Holder {
  readonly text: string;
  readonly mtimeMs: number;
}

function readHolder(path: string): Holder | undefined {
  let fd: number;
  try {
    // Opening it, not lstat: network file systems look at the server then.
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const bytes = Buffer.alloc(MAX_LOCK_BYTES);
    const length = readSync(fd, bytes);
    return { text: bytes.toString('utf8', 0, length), mtimeMs: fstatSync(fd).mtimeMs };
  } finally {
    closeSync(fd);
  }
}

async function isDead(
  path: string,
  holder: Holder,
  { signal, onWait, patienceMs = PATIENCE_MS }: DeviceLockOptions,
): Promise<boolean> {
  const liveness = livenessOf(fieldOf(holder, 'owner'));
  if (liveness !== 'unknown') return liveness === 'dead';
  onWait?.(nameOf(holder));
  for (const end = performance.now() + patienceMs; performance.now() < end;) {
    await sleep(Math.min(LOOK_MS, patienceMs / 2), undefined, { signal }).catch(() =>
      signal?.throwIfAborted(),
    );
    const now = readHolder(path);
    // Released: the caller will see that.
    if (now === undefined || now.text !== holder.text) return true;
    if (now.mtimeMs !== holder.mtimeMs) return false;
  }
  return true;
}

function fieldOf({ text }: Holder, name: string): string {
  try {
    const fields: unknown = JSON.parse(text);
    if (typeof fields !== 'object' || fields === null) return '?';
    const value: unknown = Object.getOwnPropertyDescriptor(fields, name)?.value;
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '?';
  } catch {
    return '?'; // Damaged, or not written yet: its holder may live.
  }
}

/** The name of a holder, for people. */
function nameOf(holder: Holder): string {
  return `process ${fieldOf(holder, 'pid')} on ${fieldOf(holder, 'host')} since ${fieldOf(holder, 'since')}`;
}

function keyOf({ text }: Holder): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function heldBy(holder: Holder, { path, device }: Claim): IsyncError {
  const message = `another isync sends files of "${device}" to this folder: ${nameOf(holder)}`;
  return new IsyncError('FENCED', message, {
    path,
    hint: `Wait until it has ended, stop it, or give each root a device name of its own. Remove ${path} only where you know that it no longer runs.`,
  });
}

class HeldLock implements DeviceLock {
  readonly lost: Promise<IsyncError>;
  readonly #claim: Claim;
  readonly #lose: (error: IsyncError) => void;
  readonly #beat: NodeJS.Timeout;

  constructor(claim: Claim, beatMs: number) {
    const lost = Promise.withResolvers<IsyncError>();
    this.lost = lost.promise;
    this.#lose = lost.resolve;
    this.#claim = claim;
    this.#beat = setInterval(() => this.#showLife(), beatMs).unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#beat);
    try {
      if (readHolder(this.#claim.path)?.text === this.#claim.text) unlinkSync(this.#claim.path);
    } catch {
      // The next process that wants it finds that we are dead.
    }
  }

  #showLife(): void {
    const claim = this.#claim;
    try {
      const holder = readHolder(claim.path);
      if (holder === undefined) this.#putBack();
      else if (holder.text === claim.text) utimesSync(claim.path, new Date(), new Date());
      else {
        clearInterval(this.#beat);
        this.#lose(heldBy(holder, claim));
      }
    } catch {
      // A disk that fails says so elsewhere, and the next beat tries again.
    }
  }

  /** Puts the lock back when the store was emptied below us. Where another process was quicker, the next beat sees that. */
  #putBack(): void {
    try {
      this.#claim.stage();
      place(this.#claim.staged, this.#claim.path);
    } finally {
      void this.#claim.unstage();
    }
  }
}
