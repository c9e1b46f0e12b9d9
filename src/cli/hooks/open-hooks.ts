import type { Hook } from '../../config/hook-values.ts';
import type { Log } from '../../model/log.ts';
import type { HookOwner } from '../../notices/hook-notices.ts';
import type { Alarms } from '../../observe/status/alarms.ts';
import type { SealHook } from './seal-hook.ts';

export interface HookSettings {
  readonly onSeal?: Hook | undefined;
  readonly onProblem?: Hook | undefined;
  /** Folder for what is owed. */
  readonly hookState?: string | undefined;
}

export interface Hooks extends AsyncDisposable {
  /** Undefined without --on-seal. */
  readonly seal: SealHook | undefined;
}

export interface HooksOptions {
  readonly config: HookSettings;
  readonly owner: HookOwner;
  readonly alarms: Alarms;
  readonly log: Log;
}

/**
 * Tells the user's programs and servers of seals and problems, beside the work: what is owed stands on the disk until it is taken. Never
 * rejects; where the disk has no place for it, it is kept in memory, and the log says so. The queue is loaded only where a hook is set.
 */
export async function openHooks(options: HooksOptions): Promise<Hooks> {
  const { onSeal, onProblem } = options.config;
  if (onSeal === undefined && onProblem === undefined)
    return { seal: undefined, [Symbol.asyncDispose]: async () => {} };
  const { openQueuedHooks } = await import('./queued-hooks.ts');
  return await openQueuedHooks(options);
}
