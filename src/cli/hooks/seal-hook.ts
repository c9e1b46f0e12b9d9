import { LRUCache } from 'lru-cache';
import type { DeviceWatch } from '../../receiver/devices/device-watch.ts';
import { type HookOwner, sealNotice } from '../../notices/hook-notices.ts';
import type { NoticeQueue } from '../../notices/notice-queue.ts';

/** In front of the names under which it is remembered which directories are being sealed. */
const SEALING = 'sealing ';
/** Directories of which is remembered that their seal was told: one that lost its answer asks again within seconds. */
const MAX_TOLD = 10_000;

export interface SealHookOptions {
  readonly owner: HookOwner;
  readonly queue: Pick<NoticeQueue, 'tell' | 'set' | 'conditions'>;
}

/** Tells of each directory that is sealed. No call throws or waits for anybody. */
export class SealHook {
  readonly #options: SealHookOptions;

  constructor(options: SealHookOptions) {
    this.#options = options;
  }

  /** A directory is about to be sealed: whatever ends this process now, the next one tells whether it was. */
  sealing(directory: string): void {
    this.#options.queue.set(SEALING + directory, Date.now());
  }

  sealed(device: string, directory: string): void {
    const { owner, queue } = this.#options;
    queue.tell(sealNotice(owner, { device, directory, atMs: Date.now() }));
    queue.set(SEALING + directory, undefined);
  }

  /** Tells of what a process before this one has sealed, and could not tell of any more. */
  catchUp(device: string, isSealed: (directory: string) => boolean): void {
    const { queue } = this.#options;
    for (const name of queue.conditions(SEALING)) {
      const directory = name.slice(SEALING.length);
      if (isSealed(directory)) this.sealed(device, directory);
      else queue.set(name, undefined);
    }
  }

  /** `watch`, with each directory that arrives told once; again only after a file of it has come. */
  watching(watch: DeviceWatch): DeviceWatch {
    const told = new LRUCache<string, true>({ max: MAX_TOLD });
    return {
      refused: (device, address, reason) => watch.refused(device, address, reason),
      full: (device, reason) => watch.full(device, reason),
      opened: (start) => {
        const session = watch.opened(start);
        const keyOf = (path: string): string => `${start.device}/${path.split('/', 1)[0] ?? ''}`;
        return {
          reported: (report) => session.reported(report),
          ended: () => session.ended(),
          kept: (path, bytes) => {
            told.delete(keyOf(path));
            session.kept(path, bytes);
          },
          sealed: (directory) => {
            session.sealed(directory);
            const key = keyOf(directory);
            if (told.has(key)) return;
            told.set(key, true);
            this.sealed(start.device, directory);
          },
        };
      },
    };
  }
}
