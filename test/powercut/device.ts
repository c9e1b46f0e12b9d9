import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { available } from '../faults/machine.ts';
import type { Random } from '../../harness/random.ts';
import { freePort } from '../faults/round-setup.ts';
import { Victim } from '../faults/victim.ts';
import { directoriesOf, isClosed, lackingOf } from '../../harness/lacking.ts';
import { scanOnce, startReceiver, type Scanned } from '../../harness/cli.ts';
import { isSealed } from '../../harness/data-tree.ts';
import { contentsOf, judge, markedIn } from './judge.ts';
import { LoopDisk } from './loop-disk.ts';

const DEVICE = 'edge1';
/** How long a stopped process may go on with the system call it is in, in ms. */
const STOPPED_MS = 20_000;
const LOOK_MS = 2;

export interface CutResult {
  /** A line each. */
  readonly wrong: readonly string[];
  /** What happened, in a few words. */
  readonly told: string;
  /** What the scan after the cut said. */
  readonly log: string;
}

/** A device at work on a disk of its own, whose power can be cut; its server is on another. */
export class Device implements Disposable {
  readonly #folder: string;
  readonly #disk: LoopDisk;
  readonly #random: Random;
  readonly #store: string;
  readonly #isync: readonly Victim[];
  readonly #writers: readonly ChildProcess[];

  constructor(folder: string, listen: string, random: Random) {
    this.#folder = folder;
    this.#random = random;
    this.#store = join(folder, 'store');
    mkdirSync(this.#store);
    this.#disk = LoopDisk.make(join(folder, 'disk'));
    const root = join(this.#disk.path, 'root');
    mkdirSync(root);
    execFileSync('sync', ['--file-system', root]);
    const victim = (name: string, args: readonly string[]): Victim =>
      new Victim({ name, args, uid: undefined });
    this.#isync = [
      victim('sender', ['scan', root, '--to', `ws://${listen}`, '--device', DEVICE, '--log-level', 'debug']),
      victim('receiver', ['receive', this.#store, '--listen', listen]),
    ];
    for (const each of this.#isync) each.start();
    this.#writers = [
      writer(process.execPath, 'writer.ts', root, random),
      ...(available('python3') === undefined ? [writer('python3', 'mapping.py', root, random)] : []),
    ];
  }

  /** What its processes have said. */
  get log(): string {
    return this.#isync.map(({ name, output }) => `=== ${name}\n${output}`).join('\n');
  }

  /** How often files were synced together. */
  get sharedSyncs(): number {
    return this.log.split('files share one sync').length - 1;
  }

  /** Cuts the power at this moment, starts the device again beside itself, and looks at what its target holds then. */
  async cut(): Promise<CutResult> {
    for (const writer of this.#writers)
      if (writer.exitCode !== null) throw new Error('a writer has ended by itself');
    const [image, store] = [join(this.#folder, 'cut'), join(this.#folder, 'cut-store')];
    await this.#copy(image, store);
    try {
      using disk = LoopDisk.start(image);
      return await this.#startAgain(join(disk.path, 'root'), store);
    } finally {
      for (const path of [image, store]) rmSync(path, { recursive: true, force: true });
    }
  }

  [Symbol.dispose](): void {
    for (const victim of this.#isync) victim.destroy();
    for (const writer of this.#writers) writer.kill('SIGKILL');
    this.#disk[Symbol.dispose]();
  }

  /** The disk and the store, as they are while nobody does anything. */
  async #copy(image: string, store: string): Promise<void> {
    const pids = [...this.#isync.map(({ pid }) => pid), ...this.#writers.map(({ pid }) => pid)].filter(
      (pid) => pid !== undefined,
    );
    try {
      for (const pid of pids) process.kill(pid, 'SIGSTOP');
      for (let waited = 0; !pids.every(isStopped); waited += LOOK_MS) {
        if (waited > STOPPED_MS) throw new Error('a process does not stop');
        await sleep(LOOK_MS);
      }
      await this.#disk.cut(image);
      cpSync(this.#store, store, { recursive: true, preserveTimestamps: true });
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT');
    }
  }

  async #startAgain(root: string, store: string): Promise<CutResult> {
    const copy = join(store, DEVICE);
    const [marked, before] = [await markedIn(root), await contentsOf(copy)];
    const directories = directoriesOf(root);
    const sealed = directories.filter((directory) => isSealed(root, directory)).length;
    const wrong = marked
      .filter((path) => !before.has(path))
      .map((path) => `${path} had a mark when the power was cut, and was not at the target`);
    const closing = this.#random.chance(0.7);
    for (const directory of directories)
      if (closing && !isClosed(root, directory)) writeFileSync(join(root, directory, 'finished.parse'), '');
    const { exitCode, summary, stderr } = await this.#scan(root, store);
    wrong.push(...judge(marked, before, await contentsOf(copy)));
    for (const directory of directories)
      if (isSealed(root, directory))
        for (const line of await lackingOf(root, copy, directory)) wrong.push(`sealed: ${line}`);
    const codes = [...new Set(summary.problems.map(({ code }) => code))].join(', ');
    return {
      wrong,
      told: `${before.size} files at the target, ${marked.length} marked on the disk, ${sealed} of ${directories.length} directories sealed; after the start ${summary.files} sent, exit code ${exitCode}${codes && `, ${codes}`}`,
      log: stderr,
    };
  }

  /** Over the wire, or to the folder itself. */
  async #scan(root: string, store: string): Promise<Scanned> {
    if (this.#random.chance(0.5)) return await scanOnce(root, { to: store, device: DEVICE });
    await using receiver = await startReceiver(store);
    return await scanOnce(root, { to: receiver.url, device: DEVICE });
  }
}

export async function startDevice(folder: string, random: Random): Promise<Device> {
  return new Device(folder, `127.0.0.1:${await freePort(random.fork())}`, random);
}

function writer(command: string, file: string, root: string, random: Random): ChildProcess {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn(command, [path, root, String(random.int(1, 2 ** 30))], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  return child;
}

/** Whether all its threads have stopped; see proc_pid_stat(5). */
function isStopped(pid: number): boolean {
  if (!existsSync(`/proc/${pid}/task`)) throw new Error(`process ${pid} has ended`);
  return readdirSync(`/proc/${pid}/task`).every((task) => {
    const stat = readFileSync(`/proc/${pid}/task/${task}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
  });
}
