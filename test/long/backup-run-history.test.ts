import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { expect, it } from 'vitest';
import { Random } from '../../harness/random.ts';
import { createDecryption } from '../../src/backup/encrypt/create-decryption.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { MemoryTarget } from '../backup/memory-target.ts';
import { sha256 } from '../backup/made-backup.ts';
import { contextOf, newFolder, restored } from '../backup/restoring.ts';
import { manifestsOf, RunStage } from '../backup/run-stage.ts';

/** Runs in each history. */
const RUNS = Number(process.env['ISYNC_TEST_BACKUP_RUNS'] ?? 5);
const SEED = Number(process.env['ISYNC_TEST_SEED'] ?? 20_261_126);
/** Backups that the rule keeps. */
const KEPT = 3;
/** Calls of a target in a run, about: one of them fails, or the run is stopped at it. */
const CALLS = 14;

/** Two stores that fail, runs that are stopped, files that change meanwhile. */
class History {
  readonly stage = new RunStage();
  readonly targets = [new MemoryTarget({ name: 'one' }), new MemoryTarget({ name: 'other' })];
  readonly faults: string[] = [];
  readonly #random: Random;
  /** What the source has been, in short. */
  readonly #states = new Set<string>();
  /** Backups that were found right, with what they are made of. */
  readonly #checked = new Set<string>();
  readonly #seen = new Map<MemoryTarget, Set<number>>(this.targets.map((target) => [target, new Set()]));
  readonly #identity: string | undefined;
  readonly #recipients: readonly string[];

  constructor(seed: number, identity: string | undefined, recipients: readonly string[]) {
    this.#random = new Random(seed);
    this.#identity = identity;
    this.#recipients = recipients;
    this.change();
  }

  static async open(seed: number, isEncrypted: boolean): Promise<History> {
    if (!isEncrypted) return new History(seed, undefined, []);
    const identity = await generateX25519Identity();
    return new History(seed, identity, [await identityToRecipient(identity)]);
  }

  change(): void {
    const random = this.#random;
    this.stage.put(`d/${random.below(5)}`, randomBytes(random.below(5000)));
    if (random.chance(0.4)) this.stage.put('large', randomBytes(9_000_000 + random.below(9_000_000)));
    if (random.chance(0.2)) rmSync(join(this.stage.data, 'b'), { force: true });
    this.#states.add(stateOf(this.stage.data));
  }

  async run(isCalm = false): Promise<void> {
    const random = this.#random;
    const stop = new AbortController();
    for (const target of this.targets) {
      let left = isCalm || random.chance(0.4) ? Infinity : random.int(1, CALLS);
      const isStop = random.chance(0.5);
      target.before = () => {
        if (--left > 0) return;
        if (isStop) stop.abort(new IsyncError('INTERRUPTED', 'stopped'));
        else throw new IsyncError('STORE_REFUSED', 'expired');
      };
    }
    const job = this.stage.job({
      compress: 'none',
      keep: { last: KEPT, min: 1 },
      recipients: this.#recipients,
      spoolBytes: random.chance(0.3) ? 2 ** 23 : 2 ** 30,
    });
    const type = random.chance(0.3) ? 'full' : undefined;
    const result = await this.stage.run(this.targets, { job, type, signal: stop.signal });
    for (const target of this.targets) target.before = () => undefined;
    if (isCalm && result.run.stage !== 'done') this.faults.push(`a calm run: ${JSON.stringify(result.run)}`);
    for (const target of this.targets) await this.#check(target);
  }

  async #check(target: MemoryTarget): Promise<void> {
    const seen = this.#seen.get(target)!;
    const manifests = manifestsOf(target);
    for (const { version } of manifests) seen.add(version);
    const kept = [...seen].toSorted((a, b) => b - a).slice(0, KEPT);
    for (const version of kept)
      if (!manifests.some((manifest) => manifest.version === version))
        this.faults.push(`version ${version} is gone from ${target.name}`);
    for (const manifest of manifests) {
      const needed = [...manifest.needs, manifest.list].map(({ key }) => target.objects.get(key)?.etag);
      const what = `${target.name} ${manifest.name} ${needed.join(' ')}`;
      if (this.#checked.has(what)) continue;
      const to = join(newFolder(), 'to');
      const decryption = this.#identity === undefined ? undefined : createDecryption(this.#identity);
      const context = contextOf(target, { decryption });
      const { isComplete } = await restored(target, { manifest, records: [] }, to, { context });
      if (isComplete && this.#states.has(stateOf(join(to, this.stage.data)))) this.#checked.add(what);
      else this.faults.push(`${manifest.name} at ${target.name} is not right`);
      rmSync(to, { recursive: true });
    }
  }
}

/** Each path below a folder with its content and time. */
function stateOf(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .toSorted()
    .map((path) => {
      const stats = statSync(join(folder, path));
      const content = stats.isDirectory() ? '' : sha256(readFileSync(join(folder, path)));
      return `${path} ${Math.floor(stats.mtimeMs)} ${content}`;
    })
    .join('\n');
}

it.each([
  ['plain', false, SEED],
  ['encrypted', true, SEED + 1],
])(
  'whatever fails, each %s backup there is stays whole, and the next calm run is complete',
  async (_, isEncrypted, seed) => {
    const history = await History.open(seed, isEncrypted);
    for (let run = 0; run < RUNS && history.faults.length === 0; run++) {
      await history.run(run % 4 === 3);
      history.change();
    }
    await history.run(true);
    expect(history.faults).toEqual([]);
  },
);
