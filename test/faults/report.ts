import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { type Gap, isFailure } from '../../harness/gaps.ts';
import type { RoundResult } from './round.ts';

/** A round that takes longer, in s, is worth a look even if all is well in the end. */
const LONG_S = 120;

/** Says what happens, a line a round, and what it came to. */
export class Report {
  passed = 0;
  failed = 0;
  #skipped = 0;
  #void = 0;
  readonly #targets = new Map<string, number>();
  readonly #strikes = new Map<string, number>();
  readonly #ends = new Map<string, number>();
  readonly #failedSeeds: string[] = [];
  #files = 0;
  #marks = 0;
  #seals = 0;

  leftOut(tries: readonly { readonly name: string; readonly impossible?: Gap | undefined }[]): void {
    for (const { name, impossible } of tries) {
      if (impossible === undefined) continue;
      const failed = isFailure(impossible.kind);
      if (failed) this.failed++;
      else this.#skipped++;
      say(`${failed ? 'FAILED' : 'SKIPPED on this machine:'} ${name}: ${impossible.why}`);
    }
  }

  round(
    { setup, broken, neglected, seconds, files, observed, ends, log, folder }: RoundResult,
    only: string | undefined,
  ): void {
    add(this.#targets, setup.target.name, 1);
    for (const { name } of setup.faults) add(this.#strikes, name, 1);
    for (const [how, times] of ends) add(this.#ends, how, times);
    this.#files += files;
    this.#marks += observed.marksSeen;
    this.#seals += observed.sealsSeen;
    const names = setup.faults.map((fault) => fault.name).join(', ') || 'nothing wrong';
    const what = `seed ${setup.seed}: ${setup.target.name}: ${names}; ${files} files, ${seconds.toFixed(1)} s`;
    if (broken.length === 0) {
      this.passed++;
      say(`ok    ${what}${seconds > LONG_S ? `; log: ${save(setup.seed, log)}` : ''}`);
      return;
    }
    if (neglected.length > 0) {
      this.#void++;
      say(
        `void  ${what}; the parser was held up in ${neglected.join(', ')}; ${save(setup.seed, broken.join('\n'))}`,
      );
      return;
    }
    this.failed++;
    const again = `node test/faults/main.ts --seed ${setup.seed} --rounds 1${only === undefined ? '' : ` --only ${only}`}`;
    this.#failedSeeds.push(again);
    const logFile = save(
      setup.seed,
      [again, inspect({ ...setup, plan: undefined }), ...broken, folder, log].join('\n'),
    );
    say(
      `FAILED ${what}`,
      ...broken.map((line) => `    ${line}`),
      `    log: ${logFile}`,
      `    again: ${again}`,
    );
  }

  scenarioKept(name: string, outcome: string): void {
    this.passed++;
    say(`ok    scenario ${name}: ${outcome}`);
  }

  scenarioBroken(name: string, fault: string): void {
    this.failed++;
    this.#failedSeeds.push(`node test/faults/main.ts --only ${name}`);
    say(`FAILED scenario ${name}: ${fault}`);
  }

  end(): void {
    say('', `files ${this.#files}, marks checked ${this.#marks}, seals checked ${this.#seals}`);
    if (this.#void > 0) say(`rounds that prove nothing, because the machine was too busy: ${this.#void}`);
    say(`targets: ${list(this.#targets)}`);
    say(`faults: ${list(this.#strikes)}`);
    say(`ends that nobody asked for or that SIGTERM asked for: ${list(this.#ends)}`);
    for (const again of this.#failedSeeds) say(`again: ${again}`);
    say(`${this.passed} passed, ${this.failed} failed, ${this.#skipped} skipped`);
  }
}

function save(seed: number, text: string): string {
  const path = join(tmpdir(), `isync-faults-${seed}.log`);
  writeFileSync(path, text);
  return path;
}

function list(counts: ReadonlyMap<string, number>): string {
  return (
    [...counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => `${name} ${count}`)
      .join(', ') || 'none'
  );
}

function add(counts: Map<string, number>, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count);
}

function say(...lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}
