import { damageMessage, damageOf } from '../model/damage.ts';
import { createDigester } from '../model/digest.ts';
import { sameVersion } from '../model/file-entry.ts';
import { toIsyncError } from '../model/isync-error.ts';
import { PARSE_MARKER } from '../model/markers.ts';
import { problemOf, type Problem } from '../model/problem.ts';
import { firstSegment, joinRelPath, parseRelPath } from '../model/rel-path.ts';
import { isNewerThanSeal, isSealed, type DataDirectory } from '../scanner/data-directory.ts';
import { createIgnoreRule, type IgnoreRule } from '../scanner/ignore-rule.ts';
import { inspectFile } from '../scanner/inspect-file.ts';
import { listDataDirectories } from '../scanner/list-data-directories.ts';
import { listDirectory } from '../scanner/list-directory.ts';
import type { Finding, ListedFile } from '../scanner/listed-file.ts';
import { unmarkFile } from '../scanner/mark.ts';
import { removeWatchMarker } from '../scanner/markers.ts';
import { ZeroWatch } from '../store/rules/damage-rule.ts';
import { digestWith } from './digest-source.ts';
import { expiredNames } from './expire/expired-log.ts';
import { checkRoot } from './root-check.ts';
import { SealCheck } from './seal-check.ts';
import { createSourceFile } from './source-file.ts';
import type { Target, TargetRecord } from './target.ts';

/** Content that both sides read for one question to the target, in bytes; a single larger file goes alone. */
const GROUP_BYTES = 64 * 1024 * 1024;

export interface VerifyOptions {
  /** Absolute path. */
  readonly root: string;
  readonly target: Target;
  /** Only data directories whose name begins so. */
  readonly tag: string;
  readonly ignore: readonly string[];
  /** Compare size and mtime only, reading no content. */
  readonly quick: boolean;
  /**
   * Take the mark off what the target lacks or holds differently, and `finished.watch` off its directory, so that the next
   * scan sends it. Not off what a power cut seems to have damaged, nor is a seal's record touched.
   */
  readonly repair: boolean;
  /** With `repair`, also what seems damaged: its next scan needs `replaceDamaged` too. */
  readonly replaceDamaged: boolean;
  readonly signal: AbortSignal;
  /** DIFFERENT, MISSING, EXTRA and SOURCE_DAMAGED, and what could not be compared. */
  onDifference(problem: Problem): void;
  /** Called once for each directory that has such files, with when it was retired, in ms since 1970. */
  onRetired(directory: string, atMs: number): void;
  onProgress(files: number, bytes: number): void;
}

export interface VerifySummary {
  /** Files of the root that were compared, and their bytes. */
  readonly files: number;
  readonly bytes: number;
  readonly different: number;
  readonly missing: number;
  /** Files that a power cut seems to have damaged here; the target has them whole. */
  readonly damaged: number;
  /** Files that only the target has. */
  readonly extra: number;
  /** Files of directories that have been expired here, which only the target has for good. */
  readonly expired: number;
  /** Files of sealed directories that the target has removed by its own retention: what is here is all that there is of them. */
  readonly retired: number;
  /** Files that could not be compared: unreadable, changing, badly named. */
  readonly problems: number;
  /** Files that the next scan sends, because of `repair`. */
  readonly repaired: number;
}

/**
 * Compares every file of a root with the target, those of sealed directories too, and what their seals say. Changes nothing
 * but marks and markers, and these only with `repair`. A file that is not sent yet counts as missing. Rejects with READ_ONLY
 * or MARK_NOT_KEPT where it can't repair.
 */
export async function verify(options: VerifyOptions): Promise<VerifySummary> {
  const run = new Verification(options);
  await run.compareRoot();
  await run.findExtra();
  await run.checkSeals();
  return run.summary;
}

/** A file's digest, and whether it is nothing but zeros. */
interface Content {
  readonly digest: Buffer;
  readonly allZeros: boolean;
}

type Difference = 'DIFFERENT' | 'MISSING' | 'EXTRA' | 'SOURCE_DAMAGED';

const COUNTED_AS = {
  DIFFERENT: 'different',
  MISSING: 'missing',
  EXTRA: 'extra',
  SOURCE_DAMAGED: 'damaged',
} as const satisfies Record<Difference, keyof VerifySummary>;

class Verification {
  readonly summary = {
    files: 0,
    bytes: 0,
    different: 0,
    missing: 0,
    damaged: 0,
    extra: 0,
    expired: 0,
    retired: 0,
    problems: 0,
    repaired: 0,
  };
  readonly #options: VerifyOptions;
  readonly #ignore: IgnoreRule;
  readonly #seals = new SealCheck();
  /** Data directories of the root. */
  readonly #present = new Set<string>();
  /** Directories that the target was asked about: when it has retired them. */
  readonly #retired = new Map<string, number | undefined>();

  constructor(options: VerifyOptions) {
    this.#options = options;
    this.#ignore = createIgnoreRule(options.ignore);
  }

  async compareRoot(): Promise<void> {
    const { root, target, tag, signal } = this.#options;
    const found = await listDataDirectories(root, { tag });
    const { directories, problems } = found;
    checkRoot('verify', root, tag, found);
    for (const problem of problems) this.#problem(problem);
    const { store } = await target.identify({ signal });
    for (const { name } of directories) this.#present.add(name);
    for (const directory of directories) await this.#compareDirectory(directory, store);
  }

  /** What the target has of the chosen data directories and the root has not. */
  async findExtra(): Promise<void> {
    const { root, target, tag, signal } = this.#options;
    const expired = expiredNames(root);
    for await (const entry of target.list('', { signal })) {
      const directory = firstSegment(entry.path);
      if (!directory.startsWith(tag)) continue;
      this.#seals.kept(entry.path);
      if (inspectFile(root, entry.path) !== undefined) continue;
      if (expired.has(directory) && !this.#present.has(directory)) this.summary.expired++;
      else this.#tell('EXTRA', entry.path, 'only the target has it');
    }
  }

  /** Seals that tell of more than the target has, once all is compared. */
  async checkSeals(): Promise<void> {
    for (const problem of this.#seals.lacking())
      if ((await this.#retiredAt(firstSegment(parseRelPath(problem.path)))) === undefined)
        this.#tell('MISSING', problem.path, problem.message);
  }

  async #compareDirectory(directory: DataDirectory, store: string | undefined): Promise<void> {
    const { root, target, signal } = this.#options;
    const fault = this.#seals.begin(directory, store, target.traits.device);
    if (fault !== undefined) this.#tell('DIFFERENT', fault.path, fault.message);
    for await (const batch of listDirectory(root, directory.name, { ignore: this.#ignore, signal })) {
      signal.throwIfAborted();
      for (const group of this.#groupsOf(batch)) await this.#compareGroup(directory, group);
    }
    // The parser's marker is published as a directory's last file, so an unsealed one need not be there.
    if (directory.seal === undefined || !directory.closed) return;
    const marker = inspectFile(root, joinRelPath(directory.name, PARSE_MARKER));
    if (marker?.kind === 'file') await this.#compareGroup(directory, [marker.file]);
  }

  *#groupsOf(batch: readonly Finding[]): Generator<readonly ListedFile[]> {
    let group: ListedFile[] = [];
    let bytes = 0;
    for (const finding of batch) {
      if (finding.kind === 'problem') {
        this.#problem(finding.problem);
        continue;
      }
      if (group.length > 0 && bytes + finding.file.entry.size > GROUP_BYTES) {
        yield group;
        group = [];
        bytes = 0;
      }
      group.push(finding.file);
      bytes += finding.file.entry.size;
    }
    if (group.length > 0) yield group;
  }

  async #compareGroup(directory: DataDirectory, files: readonly ListedFile[]): Promise<void> {
    const { target, quick, signal } = this.#options;
    const paths = files.map((file) => file.entry.path);
    const asked = target.look(paths, { signal, digest: !quick });
    const contents = quick ? Promise.resolve([]) : this.#contentsOf(files);
    const [records, local] = await Promise.all([asked, contents]);
    for (const [index, file] of files.entries())
      if (records[index] === undefined && (await this.#isRetired(directory, file))) this.summary.retired++;
      else await this.#compare(file, records[index], local[index]);
    this.#options.onProgress(this.summary.files, this.summary.bytes);
  }

  /** Local contents in the order of `files`; undefined for what could not be read, which has been told then. */
  async #contentsOf(files: readonly ListedFile[]): Promise<(Content | undefined)[]> {
    const contents: (Content | undefined)[] = [];
    for (const file of files) {
      try {
        const watch = new ZeroWatch(createDigester(this.#options.target.traits.digest));
        const digest = await digestWith(watch, createSourceFile(this.#options.root, file));
        contents.push({ digest, allZeros: watch.allZeros });
      } catch (thrown) {
        const path = file.entry.path;
        this.#problem(problemOf(toIsyncError(thrown, 'FILE_UNREADABLE', { path }), path));
        contents.push(undefined);
      }
    }
    return contents;
  }

  /** Whether the target has had the file, and retired it. What is not sealed, or has come since, the scan sends. */
  async #isRetired(directory: DataDirectory, file: ListedFile): Promise<boolean> {
    const { device } = this.#options.target.traits;
    const wasSealed = isSealed(directory, undefined, device) && !isNewerThanSeal(file, directory);
    return wasSealed && (await this.#retiredAt(directory.name)) !== undefined;
  }

  async #retiredAt(name: string): Promise<number | undefined> {
    if (this.#retired.has(name)) return this.#retired.get(name);
    const { target, signal } = this.#options;
    const atMs = await target.retiredAt(parseRelPath(name), { signal });
    this.#retired.set(name, atMs);
    if (atMs !== undefined) this.#options.onRetired(name, atMs);
    return atMs;
  }

  async #compare(
    file: ListedFile,
    record: TargetRecord | undefined,
    content: Content | undefined,
  ): Promise<void> {
    const { path, size } = file.entry;
    const { repair, replaceDamaged } = this.#options;
    this.summary.files++;
    this.summary.bytes += size;
    const found = record === undefined ? undefined : this.#differenceOf(file, record, content);
    if (record === undefined) {
      this.#seals.missing(path, file.marked);
      this.#tell('MISSING', path, 'the target does not have it');
    } else if (found === undefined) return;
    else this.#tell(found.code, path, found.message);
    if (repair && (found?.code !== 'SOURCE_DAMAGED' || replaceDamaged)) await this.#repair(file);
  }

  /** Mark first: an unsealed directory with the mark still on would be sealed again without the file. */
  async #repair(file: ListedFile): Promise<void> {
    const { root } = this.#options;
    unmarkFile(root, file.entry.path);
    await removeWatchMarker(root, parseRelPath(firstSegment(file.entry.path)));
    this.summary.repaired++;
  }

  #differenceOf(
    file: ListedFile,
    record: TargetRecord,
    content: Content | undefined,
  ): { code: Difference; message: string } | undefined {
    const message = this.#faultOf(file, record, content?.digest);
    if (message === undefined) return undefined;
    const damage = damageOf(record.entry, file.entry, content?.allZeros ?? false);
    if (damage === undefined) return { code: 'DIFFERENT', message };
    return { code: 'SOURCE_DAMAGED', message: damageMessage(record.entry, file.entry, damage) };
  }

  #faultOf(file: ListedFile, record: TargetRecord, digest: Buffer | undefined): string | undefined {
    const { size } = file.entry;
    if (record.entry.size !== size) return `${size} bytes here, ${record.entry.size} at the target`;
    if (this.#options.quick)
      return sameVersion(file.entry, record.entry) ? undefined : 'its modification time differs';
    if (digest === undefined) return undefined;
    if (record.digest === undefined) return 'the target could not read it';
    return digest.equals(record.digest) ? undefined : 'its content differs';
  }

  #tell(code: Difference, path: string, message: string): void {
    this.summary[COUNTED_AS[code]]++;
    this.#options.onDifference({ path, code, message });
  }

  #problem(problem: Problem): void {
    this.summary.problems++;
    this.#options.onDifference(problem);
  }
}
