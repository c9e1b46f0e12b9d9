import type { Block } from './content.ts';
import { Names } from './names.ts';
import type { Plan, Step } from './plan.ts';
import type { Random } from './random.ts';

export interface PlanOptions {
  /** Files of the plan, about. */
  readonly files: number;
  /** Files of one directory that come as fast as the parser can; 0 for none. */
  readonly burst: number;
  /** Largest file, in bytes. */
  readonly largest: number;
  readonly umask: number;
  /**
   * With `--marks trust` a believable mark is the user's word: what the parser's umask gives away with g+w must not be
   * renamed, and not get other times, or nobody could tell.
   */
  readonly marks: 'trust' | 'verify';
}

/** Pauses of a slow writer, in ms: shorter than what makes a file look complete, and longer. */
const PIECE_PAUSES_MS = [1, 5, 20, 400];

/** What the parser still does in a directory after it has begun the next one. */
const MAX_LATE_STEPS = 10;

/** A parser's life, from a seed. Each directory but the last may be abandoned; what comes later never writes to it. */
export function makePlan(random: Random, options: PlanOptions): Plan {
  return new Planner(random, options).plan();
}

class Planner {
  readonly #random: Random;
  readonly #options: PlanOptions;
  readonly #names: Names;
  #lastId = 0;

  constructor(random: Random, options: PlanOptions) {
    this.#random = random;
    this.#options = options;
    this.#names = new Names(random.fork());
  }

  plan(): Plan {
    const random = this.#random;
    const count = random.int(1, 6);
    const directories = Array.from({ length: count }, () => this.#names.dataDirectory());
    const burstIn = this.#options.burst > 0 ? random.int(0, count - 1) : -1;
    const steps: Step[] = [];
    let late: Step[] = [];
    for (const [index, directory] of directories.entries()) {
      const own = this.#directory(directory, Math.ceil(this.#options.files / count));
      // Not at its beginning, which may be mixed with the end of the directory before.
      if (index === burstIn)
        own.splice(Math.max(own.length - random.int(0, 5), 1), 0, this.#burst(directory));
      const isLast = index === count - 1;
      const close = isLast || random.chance(0.75);
      if (close)
        own.push({ do: 'close', path: directory, block: random.chance(0.5) ? this.#block(200) : undefined });
      const [first] = own;
      if (first === undefined) continue;
      // The end of the directory before comes between the beginning of this one.
      const beside = late.length === 0 ? 0 : Math.min(MAX_LATE_STEPS, own.length - 1);
      steps.push(first, ...interleave(random, late, own.slice(1, 1 + beside)).map(quick));
      const rest = own.slice(1 + beside);
      const keep =
        !isLast && close && random.chance(0.3) ? Math.min(rest.length, random.int(1, MAX_LATE_STEPS)) : 0;
      steps.push(...rest.slice(0, rest.length - keep));
      late = rest.slice(rest.length - keep);
    }
    return { umask: this.#options.umask, directories, steps };
  }

  #directory(directory: string, files: number): Step[] {
    const random = this.#random;
    const steps: Step[] = [{ do: 'folder', path: directory }];
    const folders = [
      directory,
      ...Array.from({ length: random.int(0, 4) }, () => `${directory}/${this.#names.folders()}`),
    ];
    const living: string[] = [];
    for (let made = 0; made < files; made++) {
      const path = `${random.pick(folders)}/${this.#names.file()}`;
      steps.push(this.#create(path));
      living.push(path);
      if (random.chance(0.25)) steps.push(...this.#change(living));
      if (random.chance(0.15)) steps.push({ do: 'pause', ms: random.pick([1, 10, 50, 300]) });
    }
    return steps;
  }

  get #timesAreFree(): boolean {
    return this.#options.umask !== 0o002 || this.#options.marks === 'verify';
  }

  #create(path: string): Step {
    const random = this.#random;
    const how = random.int(0, 99);
    const block = random.chance(0.05) ? undefined : this.#block();
    if (how < 15) {
      const pieces = random.int(2, 5);
      return { do: 'write', path, block, pieces, pauseMs: random.pick(PIECE_PAUSES_MS) };
    }
    if (!this.#timesAreFree || how < 60) return { do: 'write', path, block, pieces: 1, pauseMs: 0 };
    if (how < 70) return { do: 'write', path, block, pieces: 1, pauseMs: 0, mtime: this.#time() };
    if (how < 75) return { do: 'copy', path, block: this.#block(), mtime: this.#time() };
    return {
      do: 'publish',
      path,
      via: this.#via(path),
      block,
      pauseMs: random.chance(0.3) ? random.int(1, 150) : 0,
      mtimeBack: false,
    };
  }

  #change(living: string[]): Step[] {
    const random = this.#random;
    const path = random.pick(living);
    const pause: Step[] = random.chance(0.5) ? [{ do: 'pause', ms: random.int(1, 200) }] : [];
    const forget = (): void => void living.splice(living.indexOf(path), 1);
    switch (random.int(0, this.#timesAreFree ? 6 : 3)) {
      case 0:
        return [...pause, { do: 'append', path, block: this.#block() }];
      case 1:
        return [...pause, { do: 'rewrite', path, block: this.#block(), mtimeBack: false }];
      case 2:
        forget();
        return [...pause, { do: 'remove', path }];
      case 3:
        return [...pause, { do: 'unmark', path }];
      case 4: {
        const { length, id } = this.#block();
        // Of another length: nobody could tell the same length under the same times.
        return [...pause, { do: 'rewrite', path, block: { id, length: length + 100_003 }, mtimeBack: true }];
      }
      case 5:
        return [
          ...pause,
          {
            do: 'publish',
            path,
            via: this.#via(path),
            block: this.#block(),
            pauseMs: 0,
            mtimeBack: random.chance(0.5),
          },
        ];
      default: {
        const to = `${path.slice(0, path.lastIndexOf('/'))}/moved-${this.#lastId}-${random.int(0, 999_999)}`;
        forget();
        living.push(to);
        return [...pause, { do: 'move', path, to }];
      }
    }
  }

  /** Beside the file, where isync sees it as well, or outside of every data directory. */
  #via(path: string): string {
    const name = `tmp-${this.#lastId}-${this.#random.int(0, 999_999)}`;
    return this.#random.chance(0.5) ? `.parser/${name}` : `${path.slice(0, path.lastIndexOf('/'))}/.${name}`;
  }

  #burst(directory: string): Step {
    const firstId = this.#lastId + 1;
    const count = this.#options.burst;
    this.#lastId += count;
    return { do: 'burst', path: directory, count, firstId, length: this.#random.int(10, 3000) };
  }

  #time(): number {
    const random = this.#random;
    const now = Date.UTC(2026, 0, 1) / 1000;
    return random.pick([
      0,
      1,
      -86_400 * 365 * 20,
      now - random.int(0, 10 ** 8),
      now + 86_400 * 3650,
      now + 0.123456,
    ]);
  }

  #block(most = this.#options.largest): Block {
    const random = this.#random;
    const id = ++this.#lastId;
    const kind = random.int(0, 99);
    if (kind < 70) return { id, length: random.int(0, Math.min(most, 8_000)) };
    if (kind < 90) return { id, length: random.int(0, Math.min(most, 150_000)) };
    // Around what travels whole and what goes in chunks.
    if (kind < 96)
      return { id, length: Math.min(most, random.pick([65_536, 262_144]) + random.int(-60, 60)) };
    return { id, length: random.int(0, most) };
  }
}

function interleave(random: Random, left: Step[], right: Step[]): Step[] {
  const a = [...left];
  const b = [...right];
  const mixed: Step[] = [];
  while (a.length > 0 || b.length > 0) {
    const step = b.length === 0 || (a.length > 0 && random.chance(0.5)) ? a.shift() : b.shift();
    if (step !== undefined) mixed.push(step);
  }
  return mixed;
}

/** Without the long pauses: a directory that is no longer the newest and rests for long counts as abandoned. */
function quick(step: Step): Step {
  if (step.do === 'pause') return { ...step, ms: Math.min(step.ms, 20) };
  if (step.do === 'write') return { ...step, pauseMs: Math.min(step.pauseMs, 20) };
  return step;
}
