import type { ReceiveConfig } from '../config/schemas/receive.ts';
import type { TokenFile } from '../access/token-file.ts';
import { IsyncError } from '../model/isync-error.ts';
import type { Log } from '../model/log.ts';
import { OWN_FOLDER } from '../model/own-folder.ts';
import type { Store } from '../store/store.ts';

/** In the store's own folder. */
const LOCK_FILE = 'retention.lock';

/** The retention of a receiver that has one. */
export interface OpenRetention {
  /** What the receiver has to use, so that nothing goes which is in use. */
  readonly store: Store;
  /** Directories that have gone since the start, and their bytes; undefined while none goes. */
  readonly gone: Readonly<{ directories: number; bytes: number }> | undefined;
  /** Begins to look; disposing ends it. */
  start(): AsyncDisposable;
}

interface RetentionUse {
  /** Says what of the devices differs from the options, now and later. */
  readonly tokens: TokenFile | undefined;
  readonly signal: AbortSignal;
  readonly log: Log;
}

/** Why the devices of a receiver can have no retention of their own; undefined where they can. */
export function noRetention({ store, immutable }: ReceiveConfig): string | undefined {
  if (immutable) return '--immutable is to keep all for good';
  if (store.kind !== 'folder') return 'that is for a folder only: a bucket has lifecycle rules';
  return undefined;
}

/**
 * Puts back what an earlier process has left half-way. Undefined where all is kept, and nothing was left.
 * @throws IsyncError of the store
 */
export async function openRetention(
  { store: at, retain, retainLast, immutable }: ReceiveConfig,
  store: Store,
  { tokens, signal, log }: RetentionUse,
): Promise<OpenRetention | undefined> {
  const { retirements } = store;
  if (retirements === undefined || at.kind !== 'folder') return undefined;
  // Also a receiver that keeps all brings to its end what one before it has begun; a token file may say another thing at any time.
  if (retain === undefined && tokens === undefined && !retirements.hasLeft()) return undefined;
  const [{ Retention }, { DirectoryUses }, { withUses }] = await Promise.all([
    import('../receiver/retention/retention.ts'),
    import('../receiver/retention/directory-uses.ts'),
    import('../receiver/retention/used-store.ts'),
  ]);
  const uses = new DirectoryUses();
  const gone = { directories: 0, bytes: 0 };
  const retention = new Retention({
    retirements,
    uses,
    lock: () => takeLock(`${at.path}/${OWN_FOLDER}/${LOCK_FILE}`, log),
    ruleOf(device) {
      const own = tokens?.retentionOf(device);
      return { retainMs: own?.retainMs ?? retain ?? Infinity, retainLast: own?.retainLast ?? retainLast };
    },
    onRetired(_path, _files, bytes) {
      gone.directories++;
      gone.bytes += bytes;
    },
    log,
  });
  await retention.putBack();
  // What it has set aside it has decided to keep, too.
  if (immutable) return undefined;
  return {
    store: withUses(store, uses),
    get gone() {
      const goes = retain !== undefined || tokens?.saysRetention === true;
      return goes || gone.directories > 0 ? gone : undefined;
    },
    start() {
      const over = new AbortController();
      const unheard = tokens?.onRead(() => retention.lookSoon());
      const looking = retention.keepOn(AbortSignal.any([signal, over.signal]));
      return {
        async [Symbol.asyncDispose]() {
          unheard?.();
          over.abort();
          await looking;
        },
      };
    },
  };
}

/** A disk that is full to the last block has no room for the lock; and room is what is to be made. */
async function takeLock(path: string, log: Log): Promise<Disposable | undefined> {
  const { tryFileLock } = await import('../sqlite/file-lock.ts');
  try {
    return await tryFileLock(path);
  } catch (error) {
    if (!(error instanceof IsyncError) || error.code !== 'STORE_FULL') throw error;
    log.warn('the disk has no room for a lock: going on without', { path });
    return { [Symbol.dispose]: () => undefined };
  }
}
