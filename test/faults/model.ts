import type { Version } from './content.ts';
import { burstPath, directoryOf, type Plan, type Step } from './plan.ts';

/** What the target must, may and must not hold while and after the parser carries out a plan. */
export class Model {
  /** Every version that a path ever had, in order. */
  readonly versions = new Map<string, Version[]>();
  /** What lies in the root at the end. */
  readonly final = new Map<string, Version>();
  /** Files whose mark may look believable though the version under it was not sent: moved, or their times set back. */
  readonly tricked = new Set<string>();
  /** Files that rested half written for long enough to look complete. */
  readonly rested = new Set<string>();
  readonly closed = new Set<string>();

  constructor(plan: Plan) {
    for (const step of plan.steps) this.#take(step);
  }

  /** The final files of one data directory. */
  *finalOf(directory: string): Generator<[string, Version]> {
    for (const entry of this.final) if (directoryOf(entry[0]) === directory) yield entry;
  }

  /** Whether isync is to seal a directory by itself: its parser has closed it, or has left files in it. */
  isToBeSealed(directory: string): boolean {
    return this.closed.has(directory) || !this.finalOf(directory).next().done;
  }

  /** Place of `version` in the history of `path`; -1 where it never had it. */
  rank(path: string, version: Version): number {
    return this.versions.get(path)?.lastIndexOf(version) ?? -1;
  }

  #take(step: Step): void {
    switch (step.do) {
      case 'write':
        if (step.pieces > 1) this.rested.add(step.path);
        if (step.mtime !== undefined) this.tricked.add(step.path);
        return this.#put(step.path, versionOf(step.block));
      case 'publish':
        this.#put(step.via, versionOf(step.block));
        this.final.delete(step.via);
        this.tricked.add(step.path).add(step.via);
        return this.#put(step.path, versionOf(step.block));
      case 'rewrite':
        if (step.mtimeBack) this.tricked.add(step.path);
        return this.#put(step.path, versionOf(step.block));
      case 'copy':
        this.tricked.add(step.path);
        return this.#put(step.path, versionOf(step.block));
      case 'append': {
        const before = this.final.get(step.path);
        return this.#put(step.path, before ? `${before},${step.block.id}` : `${step.block.id}`);
      }
      case 'move': {
        const version = this.final.get(step.path) ?? '';
        this.final.delete(step.path);
        this.tricked.add(step.to);
        return this.#put(step.to, version);
      }
      case 'link':
        this.tricked.add(step.path).add(step.to);
        return this.#put(step.to, this.final.get(step.path) ?? '');
      case 'tree':
        for (const { name, block } of step.files) {
          this.tricked.add(`${step.path}/${name}`);
          this.#put(`${step.path}/${name}`, versionOf(block));
        }
        return;
      case 'template':
        for (const [path, version] of this.finalOf(step.from)) {
          if (path === `${step.from}/finished.parse` && !step.closed) continue;
          const copy = step.path + path.slice(step.from.length);
          this.tricked.add(copy);
          this.#put(copy, version);
        }
        if (step.closed) this.closed.add(step.path);
        return;
      case 'move-tree':
        for (const [path, version] of this.final) {
          if (!path.startsWith(`${step.path}/`)) continue;
          const moved = step.to + path.slice(step.path.length);
          this.final.delete(path);
          this.tricked.add(moved);
          this.#put(moved, version);
        }
        return;
      case 'remove':
        this.final.delete(step.path);
        return;
      case 'burst':
        for (let index = 0; index < step.count; index++)
          this.#put(burstPath(step.path, index), `${step.firstId + index}`);
        return;
      case 'close':
        this.closed.add(step.path);
        return this.#put(`${step.path}/finished.parse`, versionOf(step.block));
      case 'acl':
      case 'folder':
      case 'unmark':
      case 'pause':
        return;
    }
  }

  #put(path: string, version: Version): void {
    this.final.set(path, version);
    const versions = this.versions.get(path);
    if (versions === undefined) this.versions.set(path, [version]);
    else versions.push(version);
  }
}

function versionOf(block: { readonly id: number } | undefined): Version {
  return block === undefined ? '' : String(block.id);
}
