import type { Block } from './content.ts';
import { Names } from './names.ts';
import { directoryOf, type Plan, type Step } from './plan.ts';
import type { Random } from '../../harness/random.ts';

export interface PlanOptions {
  /** Files of the plan, about. */
  readonly files: number;
  /** Files of one directory that come as fast as the parser can; 0 for none. */
  readonly burst: number;
  /** Largest file, in bytes. */
  readonly largest: number;
  readonly umask: number;
  /** Folders get a default ACL that lets a group write. */
  readonly acl: boolean;
}

/** Pauses of a slow writer, in ms: shorter than what makes a file look complete, and longer. */
const PIECE_PAUSES_MS = [1, 5, 20, 400];

/** What the parser still does in a directory after it has begun the next one. */
const MAX_LATE_STEPS = 10;

/** What a block takes beside its payload, at most: see content.ts. */
const MAX_BLOCK_FRAME_BYTES = 40;

/** Files that the next directory takes from the one before, at most. */
const MAX_TAKEN = 3;

/** A parser's life, from a seed. Each directory but the last may be abandoned; what comes later never writes to it. */
export function makePlan(random: Random, options: PlanOptions): Plan {
  return new Planner(random, options).plan();
}

/** What becomes of a data directory until it is closed. */
interface Directory {
  readonly steps: Step[];
  /** Files that lie in it then, but for those that are to be left alone. */
  readonly living: readonly string[];
  /** Its folders, whether there are files in them or not. */
  readonly folders: readonly string[];
  /** It has come with the parser's marker, and nothing more comes into it. */
  readonly isComplete: boolean;
}

class Planner {
  readonly #random: Random;
  readonly #options: PlanOptions;
  readonly #names: Names;
  /** Of living files, in bytes, or a little more. */
  readonly #sizes = new Map<string, number>();
  #lastId = 0;
  #hasUnclosed = false;

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
    const closes = directories.map((_, index) => index === count - 1 || random.chance(0.75));
    this.#hasUnclosed = closes.includes(false);
    const steps: Step[] = [];
    const closed: string[] = [];
    let late: Step[] = [];
    for (const [index, directory] of directories.entries()) {
      const {
        steps: own,
        living,
        folders,
        isComplete,
      } = this.#directory(directory, Math.ceil(this.#options.files / count), {
        closed,
        // Into a copy that is closed as it comes, nothing comes any more.
        mayBeComplete: !late.some((step) => 'to' in step && directoryOf(step.to) === directory),
      });
      // Not at its beginning, which may be mixed with the end of the directory before.
      if (index === burstIn && !isComplete)
        own.splice(Math.max(own.length - random.int(0, 5), 1), 0, this.#burst(directory));
      const next = directories[index + 1];
      const close = closes[index] === true && !isComplete;
      const hasLate = next !== undefined && close && random.chance(0.4);
      const end = hasLate ? this.#take(living, folders, next) : [];
      if (close)
        end.push({ do: 'close', path: directory, block: random.chance(0.5) ? this.#block(200) : undefined });
      const [first] = own;
      if (first === undefined) continue;
      // The end of the directory before comes between the beginning of this one.
      const burstAt = own.findIndex((step) => step.do === 'burst');
      const beside =
        late.length === 0 ? 0 : Math.min(MAX_LATE_STEPS, (burstAt < 0 ? own.length : burstAt) - 1);
      steps.push(first, ...interleave(random, late, own.slice(1, 1 + beside)).map(quick));
      const rest = own.slice(1 + beside);
      const keep = hasLate ? Math.min(rest.length, random.int(0, MAX_LATE_STEPS)) : 0;
      steps.push(...rest.slice(0, rest.length - keep));
      late = hasLate ? [...rest.slice(rest.length - keep), ...end] : [];
      if (!hasLate) steps.push(...end);
      if (isComplete || (close && !hasLate)) closed.push(directory);
    }
    return { umask: this.#options.umask, directories, steps };
  }

  #directory(
    directory: string,
    files: number,
    { closed, mayBeComplete }: { readonly closed: readonly string[]; readonly mayBeComplete: boolean },
  ): Directory {
    const random = this.#random;
    const isCopy = closed.length > 0 && random.chance(0.25);
    const isComplete = isCopy && random.chance(0.3) && mayBeComplete;
    const steps: Step[] = [
      isCopy
        ? { do: 'template', path: directory, from: random.pick(closed), closed: isComplete }
        : { do: 'folder', path: directory },
    ];
    if (isComplete) return { steps, living: [], folders: [], isComplete };
    if (this.#options.acl) steps.push({ do: 'acl', path: directory });
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
      if (random.chance(0.05)) steps.push(this.#tree(directory));
      if (random.chance(0.03)) steps.push(...this.#moveTree(directory, folders, living));
      if (random.chance(0.15)) steps.push({ do: 'pause', ms: random.pick([1, 10, 50, 300]) });
    }
    return { steps, living, folders: folders.slice(1), isComplete };
  }

  /** What the next directory takes from one that is about to be closed: files, names of files, and a folder. */
  #take(living: readonly string[], folders: readonly string[], next: string): Step[] {
    const random = this.#random;
    const taken = random.some(living, random.int(0, MAX_TAKEN));
    const steps = taken.map((path): Step => {
      const to = `${next}/taken-${++this.#lastId}`;
      return random.chance(0.3) ? { do: 'link', path, to } : { do: 'move', path, to };
    });
    const left = living.filter((path) => !taken.includes(path));
    const full = folders.filter((folder) => left.some((path) => path.startsWith(`${folder}/`)));
    if (full.length > 0 && random.chance(0.4))
      steps.push({ do: 'move-tree', path: random.pick(full), to: `${next}/taken-tree-${++this.#lastId}` });
    return steps;
  }

  /** Renames a folder, and goes on in it under its new name. */
  #moveTree(directory: string, folders: string[], living: string[]): Step[] {
    const full = folders.filter(
      (folder) => folder !== directory && living.some((path) => path.startsWith(`${folder}/`)),
    );
    if (full.length === 0) return [];
    const path = this.#random.pick(full);
    const to = `${directory}/moved-tree-${++this.#lastId}`;
    folders[folders.indexOf(path)] = to;
    for (const [index, file] of living.entries()) {
      if (!file.startsWith(`${path}/`)) continue;
      const moved = to + file.slice(path.length);
      living[index] = moved;
      this.#sizes.set(moved, this.#sizes.get(file) ?? 0);
    }
    return [{ do: 'move-tree', path, to }];
  }

  #tree(directory: string): Step {
    const random = this.#random;
    const files = Array.from({ length: random.int(1, 6) }, (_, index) => ({
      name: `${random.pick(['', 'sub/', 'sub/deep/'])}in-${index}`,
      block: this.#block(),
      ...(random.chance(0.5) ? { mtime: this.#time() } : {}),
    }));
    return { do: 'tree', path: `${directory}/tree-${++this.#lastId}`, files };
  }

  #create(path: string): Step {
    const random = this.#random;
    const how = random.int(0, 99);
    const block = random.chance(0.05) ? undefined : this.#block();
    this.#grow(path, block);
    if (how < 15) {
      const pieces = random.int(2, 5);
      return { do: 'write', path, block, pieces, pauseMs: random.pick(PIECE_PAUSES_MS) };
    }
    if (how < 60) return { do: 'write', path, block, pieces: 1, pauseMs: 0 };
    if (how < 70) return { do: 'write', path, block, pieces: 1, pauseMs: 0, mtime: this.#time() };
    if (how < 75) return { do: 'copy', path, block: block ?? this.#block(0), mtime: this.#time() };
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
    switch (random.int(0, 7)) {
      case 0: {
        const block = this.#block();
        this.#grow(path, block, this.#sizes.get(path));
        return [...pause, { do: 'append', path, block }];
      }
      case 1: {
        const block = this.#block();
        this.#grow(path, block);
        return [...pause, { do: 'rewrite', path, block, mtimeBack: false }];
      }
      case 2:
        forget();
        return [...pause, { do: 'remove', path }];
      case 3:
        return [...pause, { do: 'unmark', path }];
      case 4: {
        const block = this.#longer(path);
        this.#grow(path, block);
        return [...pause, { do: 'rewrite', path, block, mtimeBack: true }];
      }
      case 5: {
        const mtimeBack = random.chance(0.5);
        const block = mtimeBack ? this.#longer(path) : this.#block();
        this.#grow(path, block);
        return [...pause, { do: 'publish', path, via: this.#via(path), block, pauseMs: 0, mtimeBack }];
      }
      case 6: {
        // Both names are left alone from now on: they are one file.
        forget();
        return [...pause, { do: 'link', path, to: this.#beside(path, 'linked') }];
      }
      default: {
        const to = this.#beside(path, 'moved');
        this.#sizes.set(to, this.#sizes.get(path) ?? 0);
        forget();
        living.push(to);
        return [...pause, { do: 'move', path, to }];
      }
    }
  }

  /**
   * Longer than what is there: nobody could tell the same length under the same times, and what is shorter under the same
   * times counts as damaged by a power cut.
   */
  #longer(path: string): Block {
    const { id, length } = this.#block(8_000);
    return { id, length: (this.#sizes.get(path) ?? 0) + MAX_BLOCK_FRAME_BYTES + length };
  }

  #grow(path: string, block: Block | undefined, from = 0): void {
    this.#sizes.set(path, from + (block === undefined ? 0 : block.length + MAX_BLOCK_FRAME_BYTES));
  }

  #beside(path: string, what: string): string {
    return `${path.slice(0, path.lastIndexOf('/'))}/${what}-${this.#lastId}-${this.#random.int(0, 999_999)}`;
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
      // A directory that nobody closes and that holds such a time is never seen at rest.
      this.#hasUnclosed ? now : now + 86_400 * 3650,
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
