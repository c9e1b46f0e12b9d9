import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { zstdCompressSync } from 'node:zlib';
import type { Encryption } from '../../src/backup/encrypt/encryption.ts';
import type { Compression } from '../../src/backup/job.ts';
import type { FileRecord, RegularRecord } from '../../src/backup/list/file-record.ts';
import { comparePaths, parseMemberPath } from '../../src/backup/list/member-path.ts';
import { encodeRecord } from '../../src/backup/list/record-codec.ts';
import { encodeManifest } from '../../src/backup/manifest/manifest-codec.ts';
import type { Manifest, NeededArchive } from '../../src/backup/manifest/manifest.ts';
import { backupName } from '../../src/backup/names/backup-name.ts';
import { FrameWriter } from '../../src/backup/pack/frames.ts';
import { TarWriter } from '../../src/backup/pack/tar-writer.ts';
import { walkSource } from '../../src/backup/pack/walk-source.ts';
import type { BackupTarget } from '../../src/backup/target/target.ts';

const STARTED_MS = Date.UTC(2025, 3, 5, 12);
const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A member with its content; what is not told of it is made up. */
export type Member = Partial<Omit<RegularRecord, 'path' | 'type' | 'linkTo'>> & {
  readonly path: string;
  readonly type?: 'file' | 'directory' | 'symlink';
  readonly content?: Buffer;
  readonly target?: string | Uint8Array;
  readonly linkTo?: string;
};

export interface MadeBackup {
  readonly manifest: Manifest;
  readonly records: readonly FileRecord[];
}

export interface BackupToMake {
  readonly target: BackupTarget;
  readonly members: readonly Member[];
  /** Files that are the same there point to where it has them. */
  readonly base?: MadeBackup;
  readonly version?: number;
  readonly compress?: Compression;
  readonly encryption?: Encryption | undefined;
  /** Changes what is told of files after all is packed. */
  readonly forge?: (records: FileRecord[]) => FileRecord[];
  readonly change?: Partial<Manifest>;
}

/** A backup as a run leaves it in a store, of members that stand in memory. */
export async function makeBackup(wanted: BackupToMake): Promise<MadeBackup> {
  const { target, base, version = 1, compress = 'zstd', encryption, change = {} } = wanted;
  const pieces: Uint8Array[] = [];
  const frames = new FrameWriter(compress, { write: async (bytes) => void pieces.push(Buffer.from(bytes)) });
  const tar = new TarWriter(frames);
  const old = new Map<string, FileRecord>(base?.records.map((record) => [record.path, record]));
  const packed: { record: FileRecord; place?: { start: number; end: number } }[] = [];
  for (const member of wanted.members.toSorted((a, b) => comparePaths(a.path, b.path))) {
    const record = recordOf(member);
    const before = old.get(record.path);
    if (record.type !== 'file' || record.linkTo !== undefined) {
      await tar.add(record);
      packed.push({ record });
    } else if (before?.type === 'file' && before.sha256 === record.sha256)
      packed.push({ record: { ...record, stored: before.stored } });
    else packed.push({ record, place: await tar.addFile(record, [member.content ?? Buffer.alloc(0)]) });
  }
  await tar.end();
  const done = new Map<string, RegularRecord>();
  const placed = packed.map(({ record, place }) => {
    if (record.type !== 'file') return record;
    const first = record.linkTo && done.get(record.linkTo);
    const stored = place ? { archive: version, ...frames.placeOf(place.start, place.end)! } : record.stored;
    const file = { ...record, stored: first ? first.stored : stored };
    done.set(file.path, file);
    return file;
  });
  const records = wanted.forge ? wanted.forge(placed) : placed;

  const name = backupName('{system}_{type}_{timestamp}_{version}', {
    system: 'app',
    type: base ? 'incremental' : 'full',
    startedMs: STARTED_MS + version * 3_600_000,
    timezone: 'UTC',
    version,
    compress,
    isEncrypted: encryption !== undefined,
  });
  const archive = await sealed(Buffer.concat(pieces), encryption);
  const list = await sealed(zstdCompressSync(records.map(encodeRecord).join('')), encryption);
  const own = { key: name, size: archive.length, sha256: sha256(archive) };
  const used = new Set(records.flatMap((record) => (record.type === 'file' ? [record.stored.archive] : [])));
  const older: NeededArchive[] = (base?.manifest.needs ?? []).filter((need) => used.has(need.version));
  const manifest: Manifest = {
    format: 1,
    madeBy: 'isync test',
    job: 'app',
    jobId: randomUUID(),
    run: randomUUID(),
    name,
    version,
    type: base ? 'incremental' : 'full',
    startedMs: STARTED_MS + version * 3_600_000,
    finishedMs: STARTED_MS + version * 3_600_000 + 1000,
    timezone: 'UTC',
    compress,
    isEncrypted: encryption !== undefined,
    archive: own,
    list: { key: `${name}.files`, size: list.length, sha256: sha256(list), records: records.length },
    needs: [...older, { ...own, version }],
    base: base?.manifest.version,
    counts: {
      files: records.filter(({ type }) => type === 'file').length,
      directories: records.filter(({ type }) => type === 'directory').length,
      symlinks: records.filter(({ type }) => type === 'symlink').length,
      bytes: records.reduce((sum, record) => sum + (record.type === 'file' ? record.size : 0), 0),
      storedFiles: 0,
      storedBytes: 0,
      special: 0,
      own: 0,
      excluded: 0,
      torn: 0,
      problems: 0,
    },
    problems: [],
    isShrunk: false,
    tags: {},
    ...change,
  };
  await target.put(name, archive);
  await target.put(`${name}.files`, list);
  await target.put(`${name}.manifest`, encodeManifest(manifest));
  return { manifest, records };
}

/** The members of a real folder, as a walk of it sees them. */
export async function membersOf(path: string): Promise<Member[]> {
  const members: Member[] = [];
  const first = new Map<bigint, string>();
  const source = {
    kind: 'folder',
    path,
    exclude: [],
    oneFilesystem: false,
    allowEmpty: true,
  } as const;
  for await (const step of walkSource(source, { isOwn: () => false })) {
    if (step.kind !== 'member') continue;
    const { stats, at } = step;
    const common = {
      path: step.path,
      mode: Number(stats.mode & 0o7777n),
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      mtimeNs: stats.mtimeNs,
    };
    if (stats.isDirectory()) members.push({ ...common, type: 'directory' });
    else if (stats.isSymbolicLink())
      members.push({ ...common, type: 'symlink', target: readlinkSync(at, { encoding: 'buffer' }) });
    else {
      const linkTo = first.get(stats.ino);
      members.push({ ...common, content: readFileSync(at), ...(linkTo !== undefined && { linkTo }) });
      if (linkTo === undefined) first.set(stats.ino, step.path);
    }
  }
  return members;
}

function recordOf({
  path,
  type = 'file',
  content = Buffer.alloc(0),
  target,
  linkTo,
  ...more
}: Member): FileRecord {
  const common = {
    mode: type === 'directory' ? 0o755 : 0o644,
    uid,
    gid,
    mtimeNs: 1_700_000_000_123_456_789n,
    ...more,
    path: parseMemberPath(path),
  };
  if (type === 'directory') return { ...common, type };
  if (type === 'symlink') return { ...common, type, target: Buffer.from(target ?? 'nowhere') };
  return {
    size: content.length,
    sha256: sha256(content),
    stored: { archive: 1, from: 0, to: 0, skip: 0 },
    ...common,
    type,
    ...(linkTo !== undefined && { linkTo: parseMemberPath(linkTo) }),
  };
}

async function sealed(bytes: Buffer, encryption: Encryption | undefined): Promise<Buffer> {
  if (encryption === undefined) return bytes;
  const sealer = encryption.sealer(await encryption.begin());
  return Buffer.concat([sealer.seal(bytes), sealer.end()]);
}
