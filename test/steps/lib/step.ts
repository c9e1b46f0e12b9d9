import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One behaviour of isync that is set up, run and looked at in separate calls, each maybe a process of its own. */
export interface Step {
  /** What it is about, in one line. */
  readonly about: string;
  /** Lays out the folders. */
  setup(place: Place): Promise<void>;
  /** Runs isync; ends every process it started. */
  execute(place: Place, check: Check): Promise<void>;
  /** Looks at what stands on the disk now. */
  verify(place: Place, check: Check): Promise<void>;
}

/** Tells whether something is as it should be; `detail` says what was there instead. */
export type Check = (what: string, passed: boolean, detail?: string) => void;

/** The folder of one step, the same in each of its calls. */
export class Place {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** What the edge device `name` looks after; the parser writes here. */
  root(name = 'edge1'): string {
    return join(this.folder, 'devices', name);
  }

  get store(): string {
    return join(this.folder, 'store');
  }

  get tokens(): string {
    return join(this.folder, 'tokens.json');
  }

  /** Makes it anew. */
  async create(): Promise<void> {
    await this.remove();
    await mkdir(this.folder, { mode: 0o700, recursive: true });
    await mkdir(this.store);
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Keeps `value` for a later call. */
  async remember(name: string, value: unknown): Promise<void> {
    await writeFile(join(this.folder, `${name}.json`), JSON.stringify(value));
  }

  async recall<T>(name: string): Promise<T> {
    try {
      return JSON.parse(await readFile(join(this.folder, `${name}.json`), 'utf8')) as T;
    } catch (thrown) {
      throw new Error('an earlier part of this step has not run (setup, execute, verify, cleanup)', {
        cause: thrown,
      });
    }
  }
}
