import { firstSegment, type RelPath } from '../../model/rel-path.ts';
import type { Folders } from './folders.ts';
import { Publisher, type WhenTaken } from './publisher.ts';
import { Stager } from './stager.ts';
import type { StagingArea } from './staging-area.ts';
import type { Stamping } from './stamp.ts';
import { Limiter } from '../../flow/limiter.ts';

/** Small files written and fsynced at a time: the more, the fewer commits of the journal they need. */
const STAGED_AT_ONCE = 32;
/** Files that others have put there fsynced at a time; the same. */
const SETTLED_AT_ONCE = 32;
/** Uploads looked for in the staging area at a time. */
const CLAIMED_AT_ONCE = 4;
/** Resumed uploads digested at a time, each in a buffer of its own. */
const RESUMED_AT_ONCE = 4;

/** The queues of one first-level folder: one device's. */
export interface Queues {
  readonly stager: Stager;
  readonly settling: Limiter;
  readonly claiming: Limiter;
  readonly resuming: Limiter;
  readonly publisher: Publisher;
}

export interface QueueOptions {
  readonly area: StagingArea;
  readonly stamping: Stamping;
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

  /** The name of the queues for `path`. */
  deviceOf(path: RelPath): string {
    return this.#options.oneQueue ? '' : firstSegment(path);
  }

  /** Runs `work` with the queues of the device of `path`. */
  use<T>(path: RelPath, work: (queues: Queues) => Promise<T>): Promise<T> {
    return this.useOf(this.deviceOf(path), work);
  }

  /** The same, by the name of the queues. */
  async useOf<T>(device: string, work: (queues: Queues) => Promise<T>): Promise<T> {
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
    const { area, stamping, whenTaken } = this.#options;
    const queues = {
      stager: new Stager(area, stamping, STAGED_AT_ONCE),
      settling: new Limiter(SETTLED_AT_ONCE),
      claiming: new Limiter(CLAIMED_AT_ONCE),
      resuming: new Limiter(RESUMED_AT_ONCE),
      publisher: new Publisher(this.#folders, whenTaken),
      users: 0,
    };
    this.#byDevice.set(device, queues);
    return queues;
  }
}
