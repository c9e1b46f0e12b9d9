import { firstSegment, type RelPath } from '../../model/rel-path.ts';
import type { Folders } from './folders.ts';
import { Publisher, type WhenTaken } from './publisher.ts';
import { Limiter } from '../../flow/limiter.ts';

/** Small files written and fsynced at a time: the more, the fewer commits of the journal they need. */
const STAGED_AT_ONCE = 32;
/** Uploads looked for in the staging area at a time. */
const CLAIMED_AT_ONCE = 4;
/** Resumed uploads digested at a time, each in a buffer of its own. */
const RESUMED_AT_ONCE = 4;

/** The queues of one first-level folder: one device's. */
export interface Queues {
  readonly staging: Limiter;
  readonly claiming: Limiter;
  readonly resuming: Limiter;
  readonly publisher: Publisher;
}

export interface QueueOptions {
  readonly whenTaken: WhenTaken;
  /** One set of queues for all paths. */
  readonly oneQueue: boolean;
}

/** Queues for each first-level folder: a device that sends a thousand files or new folders keeps no other one waiting. */
export class DeviceQueues {
  readonly #folders: Folders;
  readonly #options: QueueOptions;
  readonly #byDevice = new Map<string, Queues & { users: number }>();

  constructor(folders: Folders, options: QueueOptions) {
    this.#folders = folders;
    this.#options = options;
  }

  /** Runs `work` with the queues of the device of `path`. */
  async use<T>(path: RelPath, work: (queues: Queues) => Promise<T>): Promise<T> {
    const device = this.#options.oneQueue ? '' : firstSegment(path);
    const queues = this.#byDevice.get(device) ?? this.#make(device);
    queues.users += 1;
    try {
      return await work(queues);
    } finally {
      queues.users -= 1;
      if (queues.users === 0) this.#byDevice.delete(device);
    }
  }

  #make(device: string): Queues & { users: number } {
    const queues = {
      staging: new Limiter(STAGED_AT_ONCE),
      claiming: new Limiter(CLAIMED_AT_ONCE),
      resuming: new Limiter(RESUMED_AT_ONCE),
      publisher: new Publisher(this.#folders, this.#options.whenTaken),
      users: 0,
    };
    this.#byDevice.set(device, queues);
    return queues;
  }
}
