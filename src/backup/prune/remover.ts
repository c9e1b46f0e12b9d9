import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { MARK_ENDING } from '../names/backup-name.ts';
import type { BackupTarget, TargetUpload } from '../target/target.ts';
import { attempting, type AttemptOptions } from '../upload/attempts.ts';

/** How long a store may fail until a prune gives up, in ms: what is left is pruned the next time. */
export const GIVE_UP_MS = 120_000;
/** Of a folder: nobody gives the right while a prune waits. */
const NO_RIGHT: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS']);

/** Removes things of a target one by one. After the first that it has no right to, nothing is tried any more. */
export class Remover {
  readonly target: BackupTarget;
  /** It only looks: nothing may be removed by it. */
  readonly isDryRun: boolean;
  readonly #options: AttemptOptions;
  #denied: IsyncError | undefined;

  constructor(
    target: BackupTarget,
    { isDryRun, ...options }: AttemptOptions & { readonly isDryRun: boolean },
  ) {
    this.target = target;
    this.isDryRun = isDryRun;
    this.#options = { giveUpAfterMs: GIVE_UP_MS, ...options };
  }

  get denied(): IsyncError | undefined {
    return this.#denied;
  }

  async remove(key: string): Promise<'removed' | 'locked' | 'denied'> {
    const { signal } = this.#options;
    const found = await this.#try(
      `remove ${key}`,
      async () => await this.target.remove(key, { signal, isListed: true }),
    );
    return found === 'absent' ? 'removed' : found;
  }

  async abort(upload: TargetUpload): Promise<'removed' | 'denied'> {
    const { signal } = this.#options;
    return await this.#try(`abort the upload of ${upload.key}`, async (): Promise<'removed'> => {
      await this.target.abort(upload, { signal });
      return 'removed';
    });
  }

  /** Whether somebody has marked it since the store was listed. */
  async isMarked(name: string): Promise<boolean> {
    const { signal } = this.#options;
    const key = `${name}${MARK_ENDING}`;
    const look = async (): Promise<boolean> => (await this.target.head(key, { signal })) !== undefined;
    return await attempting(`look for ${key}`, look, this.#options);
  }

  /** Until when an object is locked; undefined where it is not, by the clock of the store, or where the settings ask for no locks. */
  async lockedUntil(key: string, nowMs: number): Promise<number | undefined> {
    if (this.target.capabilities.lock === undefined) return undefined;
    const { signal } = this.#options;
    const look = async (): Promise<number | undefined> => await this.target.lockedUntil(key, { signal });
    const untilMs = await attempting(`look at the lock of ${key}`, look, this.#options);
    return untilMs !== undefined && untilMs > nowMs ? untilMs : undefined;
  }

  async #try<T>(what: string, act: () => Promise<T>): Promise<T | 'denied'> {
    if (this.#denied !== undefined) return 'denied';
    const attempt = async (): Promise<T | 'denied'> => {
      try {
        return await act();
      } catch (error) {
        if (!(error instanceof IsyncError) || !isDenial(error)) throw error;
        this.#denied = error;
        return 'denied';
      }
    };
    return await attempting(what, attempt, this.#options);
  }
}

/** The store has been listed with the same credentials a moment ago. */
function isDenial(error: IsyncError): boolean {
  return error.code === 'STORE_REFUSED' || NO_RIGHT.has(errnoOf(error.cause) ?? '');
}
