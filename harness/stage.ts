import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { scanOnce, startReceiver, startScan, type CliOptions, type Receiver, type Scanned } from './cli.ts';
import type { CliProcess } from './process.ts';
import { freePort } from './free-port.ts';
import { differences, isSealed, temporaryFolder, writeTree, type Tree } from './data-tree.ts';

/** A receiver and as many edge devices as a test wants, in one temporary folder. */
export interface Stage extends AsyncDisposable {
  readonly folder: string;
  readonly store: string;
  receiver: Receiver;
  edge(device: string): Promise<Edge>;
  /** The same receiver again, at the same port: what ended before may connect to it. */
  restartReceiver(): Promise<void>;
}

export async function startStage(
  options: {
    readonly args?: readonly string[];
    readonly parent?: string;
    /** Where the receiver keeps files, when that is no folder of this stage. */
    readonly store?: string;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<Stage> {
  await using stack = new AsyncDisposableStack();
  const { path: folder } = stack.use(await temporaryFolder('e2e', options.parent));
  const { args = [], env = {}, store = join(folder, 'store') } = options;
  if (options.store === undefined) await mkdir(store);
  const stage: Stage = {
    folder,
    store,
    receiver: await startReceiver(store, { args, env, port: await freePort() }),
    async edge(device) {
      const edge = new Edge(stage, device);
      await mkdir(edge.root, { recursive: true });
      return edge;
    },
    async restartReceiver() {
      stage.receiver = await startReceiver(store, { args, env, port: stage.receiver.port });
    },
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
  stack.defer(async () => await stage.receiver[Symbol.asyncDispose]());
  const owned = stack.move();
  return stage;
}

/** One device: its root, and its folder at the target. */
export class Edge {
  readonly device: string;
  readonly root: string;
  readonly copy: string;
  readonly #stage: Stage;

  constructor(stage: Stage, device: string) {
    this.#stage = stage;
    this.device = device;
    this.root = join(stage.folder, 'devices', device);
    this.copy = join(stage.store, device);
  }

  async write(tree: Tree): Promise<void> {
    await writeTree(this.root, tree);
  }

  async scan(
    args: readonly string[] = [],
    options: CliOptions & { readonly to?: string } = {},
  ): Promise<Scanned> {
    return await scanOnce(this.root, { to: this.#stage.receiver.url, ...options, device: this.device, args });
  }

  daemon(args: readonly string[] = [], options: CliOptions & { readonly to?: string } = {}): CliProcess {
    return startScan(this.root, { to: this.#stage.receiver.url, ...options, device: this.device, args });
  }

  sealed(directory: string): boolean {
    return isSealed(this.root, directory);
  }

  has(path: string): boolean {
    return existsSync(join(this.copy, path));
  }

  /** What differs between the root and the target; sealed markers apart. */
  async differences(leaveOut: (path: string) => boolean = () => false): Promise<string[]> {
    return await differences(
      this.root,
      this.copy,
      (path) => path.endsWith('/finished.watch') || leaveOut(path),
    );
  }
}

/** Waits until every one of `directories` is sealed, while `daemon` runs. */
export async function untilSealed(
  edge: Edge,
  directories: readonly string[],
  daemon: CliProcess,
  patienceMs?: number,
): Promise<void> {
  const what = `${directories.length} directories (${directories.slice(0, 3).join(', ')} …) to be sealed`;
  await daemon.until(what, () => directories.every((directory) => edge.sealed(directory)), patienceMs);
}
