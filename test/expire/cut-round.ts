import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCli, startCli } from '../../harness/cli.ts';
import type { Random } from '../../harness/random.ts';
import { LoopDisk } from '../powercut/loop-disk.ts';
import type { Round } from './kill-round.ts';
import { DEVICE, World } from './world.ts';

const AGAIN_MS = 5;
/** After this long, in ms, the power is cut wherever the run is. */
const LATEST_MS = 5_000;

/** A device on a disk of its own, whose power can be cut while directories go; its store is on another. */
export class CutDevice implements Disposable {
  readonly #folder: string;
  readonly #disk: LoopDisk;
  readonly #world: World;
  readonly #random: Random;

  constructor(folder: string, random: Random) {
    this.#folder = folder;
    this.#random = random;
    this.#disk = LoopDisk.make(join(folder, 'disk'));
    this.#world = new World(join(this.#disk.path, 'root'), join(folder, 'store'), random.fork());
  }

  /** Cuts the power while a run is at work, and looks at what the disk holds at the next start; then the run goes on there. */
  async round(): Promise<Round> {
    const world = this.#world;
    await world.refill();
    execFileSync('sync', ['--file-system', world.root]);
    const image = join(this.#folder, 'cut');
    const to = world.store;
    await using cli = startCli(this.#args(world.root, to));
    const deadline = performance.now() + LATEST_MS;
    while (world.aside.length === 0 && !cli.over && performance.now() < deadline) await sleep(AGAIN_MS);
    await sleep(this.#random.int(0, 40));
    if (!cli.over) cli.signal('SIGSTOP');
    try {
      await this.#disk.cut(image);
    } finally {
      if (!cli.over) cli.signal('SIGCONT');
    }
    try {
      const { wrong, told, log } = await this.#startAgain(image, to);
      const { stderr } = await cli.ended;
      return { wrong: [...wrong, ...world.check()], told, log: `${log}${stderr}`, killed: true };
    } finally {
      rmSync(image, { force: true });
    }
  }

  [Symbol.dispose](): void {
    this.#disk[Symbol.dispose]();
  }

  #args(root: string, to: string): string[] {
    return ['expire', root, '--to', to, '--device', DEVICE, '--keep', '0', '--keep-at-least', '0'];
  }

  async #startAgain(image: string, to: string) {
    using disk = LoopDisk.start(image);
    const root = join(disk.path, 'root');
    const left = this.#world.whatIsLeft(root);
    const wrong = this.#world.lost(root);
    const { exitCode, stdout, stderr } = await runCli(this.#args(root, to));
    if (exitCode !== 0) wrong.push(`after the cut the run ended with ${exitCode}`);
    const after = this.#world.whatIsLeft(root);
    if (after.length > 0) wrong.push(`left after the cut: ${after.join(', ')}`);
    wrong.push(...this.#world.lost(root));
    return { wrong, told: `on the disk ${left.join(', ') || 'nothing'}`, log: `${stdout}${stderr}` };
  }
}
