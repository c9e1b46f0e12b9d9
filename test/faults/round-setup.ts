import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Fault } from './fault.ts';
import { isRoot } from '../../harness/gaps.ts';
import { makePlan } from './make-plan.ts';
import { QUIET_S, type Plan } from './plan.ts';
import { Random } from '../../harness/random.ts';
import { suits, TARGETS, type TargetKind } from './targets.ts';

/** Nobody of this machine. */
const OTHER_UID = 54_321;
/** Size of a file system that is to be filled. */
const SMALL_DISK = '64m';
/** Files of a burst to a server that takes some hundred a second. */
const BUCKET_BURST = 1500;
/** Below the ports that the kernel gives away by itself, so that a receiver finds its port free again. */
const PORTS = { first: 20_000, last: 29_999 };

/** All that a seed decides before the clock starts. */
export interface Setup {
  readonly seed: number;
  readonly random: Random;
  readonly faults: readonly Fault[];
  readonly plan: Plan;
  readonly device: string;
  readonly target: TargetKind;
  readonly uid: number | undefined;
  readonly smallDisks: ReadonlySet<string>;
  readonly scanArgs: readonly string[];
  readonly finish: 'daemon' | 'either' | 'once';
  readonly senderDelayMs: number;
}

export function setUp(seed: number, faults: readonly Fault[]): Setup {
  const random = new Random(seed);
  const target = targetOf(seed, faults);
  const chosen = choose(
    random,
    faults.filter(({ needs }) => suits(target, needs)),
  );
  const needs = chosen.map((fault) => fault.needs);
  const smallDisks = new Set(needs.flatMap(({ smallDisk }) => smallDisk ?? []));
  const burst = needs.some((need) => need.burst === true);
  const some = random.int(100, 4_000);
  const most = target.store === 'bucket' ? BUCKET_BURST : Infinity;
  const asUser = needs.some((need) => need.user === true) || random.chance(0.2);
  const umask = random.chance(0.2) ? 0o002 : 0o022;
  const acl = random.chance(0.15);
  const size = random.int(0, 99);
  const plan = makePlan(random.fork(), {
    files: size < 75 ? random.int(5, 120) : random.int(4, 25),
    burst: smallDisks.size > 0 ? 0 : Math.min(most, burst ? overflow(random) : size >= 90 ? some : 0),
    largest: smallDisks.size > 0 || size < 75 ? 400_000 : 8_000_000,
    umask,
    acl,
  });
  const own = random.fork();
  const device = random.pick(['edge1', 'a', 'Edge_2.b-c']);
  return {
    seed,
    random: own,
    faults: chosen,
    plan,
    device,
    target,
    uid: asUser && isRoot ? OTHER_UID : undefined,
    smallDisks,
    scanArgs: [
      `--quiet=${QUIET_S}`,
      `--settle=${random.pick([60, 150, 250])}`,
      `--complete=${random.pick(['auto', 'auto', 'settle', 'close-write'])}`,
      `--digest=${random.pick(['xxh64', 'xxh64', 'sha256'])}`,
      ...(random.chance(0.1) ? ['--bwlimit=3MB/s'] : []),
      ...(random.chance(0.3) && target.link ? ['--compress'] : []),
    ],
    finish: random.pick(['daemon', 'either', 'either', 'either', 'once', 'once']),
    senderDelayMs: random.pick([0, 0, 100, 600, 2000]),
  };
}

/** By turns, so that a few rounds in a row meet all of them. */
function targetOf(seed: number, faults: readonly Fault[]): TargetKind {
  const meets = TARGETS.filter((target) => faults.some(({ needs }) => suits(target, needs)));
  const from = seed % meets.length;
  const inTurn = [...meets.slice(from), ...meets.slice(0, from)];
  const target = inTurn.find(({ impossible }) => impossible?.() === undefined);
  if (target === undefined) throw new Error('no target for these faults on this machine');
  return target;
}

/** Files of a burst while nobody reads the kernel's queue of 16,384 events: often less, for it takes a minute. */
function overflow(random: Random): number {
  return random.chance(0.3) ? random.int(17_000, 20_000) : random.int(500, 4_000);
}

/** One to four; one that means nothing beside others comes alone. */
function choose(random: Random, faults: readonly Fault[]): Fault[] {
  const possible = faults.filter((fault) => fault.impossible === undefined);
  if (possible.length === 0 || (faults.length > 1 && random.chance(0.05))) return [];
  const chosen = random.some(possible, random.pick([1, 1, 2, 2, 3, 4]));
  const loner = chosen.find((fault) => fault.alone === true);
  return loner === undefined ? chosen : [loner];
}

/** The folders of a round. */
export class Ground implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'isync-faults-'));
  /** Nobody else has it. */
  readonly id = basename(this.folder);
  readonly root = join(this.folder, 'r', 'root');
  readonly store = join(this.folder, 's', 'store');
  readonly planFile = join(this.folder, 'plan.json');
  readonly #mounts: string[] = [];
  keep = false;
  readonly #remove = (): void => this[Symbol.dispose]();

  constructor({ plan, uid, smallDisks }: Setup) {
    process.once('exit', this.#remove);
    chmodSync(this.folder, 0o755);
    for (const [which, disk, path] of [
      ['root', join(this.folder, 'r'), this.root],
      ['store', join(this.folder, 's'), this.store],
    ] as const) {
      mkdirSync(disk);
      if (smallDisks.has(which)) this.#mount(disk);
      mkdirSync(path);
      if (uid !== undefined) chownSync(path, uid, uid);
    }
    writeFileSync(this.planFile, JSON.stringify(plan));
  }

  #mount(path: string): void {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SMALL_DISK}`, 'isync-faults', path]);
    this.#mounts.push(path);
  }

  [Symbol.dispose](): void {
    process.off('exit', this.#remove);
    if (this.keep) return;
    for (const path of this.#mounts) execFileSync('umount', ['--lazy', path]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const givenPorts = new Set<number>();

/** A port that nobody listens on, and that nobody else in this process is given. */
export async function freePort(random: Random): Promise<number> {
  for (;;) {
    const port = random.int(PORTS.first, PORTS.last);
    if (givenPorts.has(port)) continue;
    givenPorts.add(port);
    const taken = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (!taken) return port;
  }
}
