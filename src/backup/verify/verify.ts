import { isDamage } from '../read/damage.ts';
import type { ReadContext } from '../read/read-context.ts';
import type { Catalogue, KnownBackup } from '../catalogue/catalogue.ts';
import { chainFault } from '../catalogue/chain-fault.ts';
import type { NeededArchive } from '../manifest/manifest.ts';
import type { TargetRecords, VerificationRecord } from '../state/job-state.ts';
import { readList, readWhole } from './read-whole.ts';
import { readSample } from './read-sample.ts';

export type VerifyDepth =
  /** Manifests, chains and sizes: what the catalogue tells. */
  | { readonly kind: 'shallow' }
  /** All bytes, too. */
  | { readonly kind: 'deep' }
  /** This many bytes, of what was longest not read. */
  | { readonly kind: 'sample'; readonly bytes: number };

export interface VerifyRequest {
  readonly context: ReadContext;
  /** Of the same target, just read. */
  readonly catalogue: Catalogue;
  /** Which backups; undefined: all. */
  readonly names?: ReadonlySet<string> | undefined;
  readonly depth: VerifyDepth;
  readonly records: Pick<TargetRecords, 'verification' | 'setVerification'>;
  /** Where lists are kept meanwhile, without a name. */
  readonly scratchFolder: string;
  readonly now: () => number;
}

export interface Verification {
  /** The newest first. */
  readonly backups: readonly VerifiedBackup[];
  /** Bytes that have been read of archives and lists. */
  readonly readBytes: number;
}

export interface VerifiedBackup {
  readonly name: string;
  readonly version: number;
  /** Undefined: nothing is wrong. */
  readonly fault: string | undefined;
}

/**
 * Looks whether backups can be restored, and notes in the state what it has found. A damaged one is a finding; it rejects where the
 * store can't be reached.
 */
export async function verify(request: VerifyRequest): Promise<Verification> {
  const { catalogue, names, depth } = request;
  const backups = catalogue.backups.filter(({ manifest }) => names?.has(manifest.name) ?? true);
  const notes = new Notes(request);
  for (const { manifest } of backups) notes.listed(manifest.version, chainFault(catalogue, manifest));
  let readBytes = 0;
  if (depth.kind === 'deep') readBytes = await readAll(request, backups, notes);
  if (depth.kind === 'sample') readBytes = await readSome(request, backups, notes, depth.bytes);
  return {
    backups: backups.map(({ manifest: { name, version, needs } }) => ({
      name,
      version,
      // The own one first: it says more.
      fault: needs
        .toReversed()
        .map((each) => notes.faultOf(each.version))
        .find((fault) => fault),
    })),
    readBytes,
  };
}

/** Each archive and each list once. */
async function readAll(
  { context, scratchFolder }: VerifyRequest,
  backups: readonly KnownBackup[],
  notes: Notes,
): Promise<number> {
  let readBytes = 0;
  for (const archive of archivesOf(backups)) {
    const made = backups.find(({ manifest }) => manifest.version === archive.version)?.manifest;
    const fault = await faultOf(async () => {
      if (made !== undefined) readBytes += await readList(context, made, scratchFolder);
      readBytes += await readWhole(context, archive);
    });
    notes.read(archive, { depth: 'deep', fault, readTo: archive.size });
  }
  return readBytes;
}

/** Goes on where the last sample ended; when all has been read, from the beginning. Reads something, however few bytes it may. */
async function readSome(
  { context, scratchFolder }: VerifyRequest,
  backups: readonly KnownBackup[],
  notes: Notes,
  bytes: number,
): Promise<number> {
  const archives = archivesOf(backups);
  const isNewRound = archives.every(({ version, size }) => notes.readTo(version) >= size);
  const waiting = archives
    .map((archive) => ({ archive, from: isNewRound ? 0 : notes.readTo(archive.version) }))
    .filter(({ archive, from }) => from < archive.size)
    // One that was begun first; then the oldest, which was read first in the round before.
    .toSorted((a, b) => Number(b.from > 0) - Number(a.from > 0) || a.archive.version - b.archive.version);
  let readBytes = 0;
  for (const { archive, from } of waiting) {
    if (readBytes > 0 && readBytes >= bytes) break;
    const made = backups.find(({ manifest }) => manifest.version === archive.version)?.manifest;
    let readTo = archive.size;
    const fault = await faultOf(async () => {
      if (made !== undefined && from === 0) readBytes += await readList(context, made, scratchFolder);
      const left = Math.max(1, bytes - readBytes);
      const isWhole = from === 0 && archive.size <= left;
      const sample =
        isWhole || made === undefined
          ? undefined
          : await readSample(context, made, { from, bytes: left, scratchFolder });
      // Without a key its digest is all that can be checked, and that takes all of it.
      readBytes += sample === undefined ? await readWhole(context, archive) : sample.bytes;
      readTo = sample?.readTo ?? archive.size;
    });
    notes.read(archive, { depth: 'sample', fault, readTo: fault === undefined ? readTo : archive.size });
  }
  return readBytes;
}

/** Every archive that some backup needs, by version. */
function archivesOf(backups: readonly KnownBackup[]): NeededArchive[] {
  const archives = new Map(
    backups.flatMap(({ manifest }) => manifest.needs.map((each) => [each.version, each])),
  );
  return [...archives.values()].toSorted((a, b) => a.version - b.version);
}

async function faultOf(read: () => Promise<void>): Promise<string | undefined> {
  try {
    await read();
    return undefined;
  } catch (error) {
    if (!isDamage(error)) throw error;
    return error.path === undefined ? error.message : `${error.path}: ${error.message}`;
  }
}

/** What is written down of each archive. */
class Notes {
  readonly #target: string;
  readonly #records: VerifyRequest['records'];
  readonly #now: () => number;

  constructor({ context, records, now }: VerifyRequest) {
    this.#target = context.target.name;
    this.#records = records;
    this.#now = now;
  }

  faultOf(version: number): string | undefined {
    return this.#of(version)?.fault;
  }

  readTo(version: number): number {
    return this.#of(version)?.readTo ?? 0;
  }

  /** What the listing tells. It does not mend what reading has found, nor is it as good as that. */
  listed(version: number, fault: string | undefined): void {
    const before = this.#of(version);
    const isRead = before !== undefined && before.depth !== 'shallow';
    if (isRead && (before.fault !== undefined || fault === undefined)) return;
    this.#set(version, { depth: 'shallow', fault, readTo: before?.readTo ?? 0 });
  }

  /** What reading has found. Until all is read anew, a fault stays. */
  read({ version, size }: NeededArchive, found: Omit<VerificationRecord, 'atMs'>): void {
    const fault = found.fault ?? (found.readTo < size ? this.faultOf(version) : undefined);
    this.#set(version, { ...found, fault });
  }

  #of(version: number): VerificationRecord | undefined {
    return this.#records.verification(this.#target, version);
  }

  #set(version: number, found: Omit<VerificationRecord, 'atMs'>): void {
    this.#records.setVerification(this.#target, version, { ...found, atMs: this.#now() });
  }
}
