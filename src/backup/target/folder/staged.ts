import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, IsyncError } from '../../../model/isync-error.ts';
import { syncFolder } from '../../../model/sync-folder.ts';
import type { StoredPart, TargetPart, TargetUpload } from '../target.ts';

/** Name in the folder of the job; no key begins with a dot. */
const UPLOADS = '.uploads';
/** Of an upload, in a folder that is called as its key: when it began in ms, bytes of a part, and what makes it another one. */
const ID = /^(\d{1,16})-(\d{1,16})-[0-9a-f]{16}$/;
const CONTENT = 'content';
/** A part that is in the content, durable: its number, size and MD5. The file is empty. */
const RECORD = /^part-(\d{1,5})-(\d{1,16})-([0-9a-f]{32})$/;
/** An upload whose folder somebody removes as it is made is made again this often. */
const MAKE_TRIES = 5;

export type FolderUpload = TargetUpload & { readonly startedMs: number };

interface PartRecord extends StoredPart {
  readonly record: string;
}

/**
 * Objects on their way into one folder: `.uploads/KEY/ID/content`. Each part is written in its place, so that an archive needs no
 * more room than it has, and then gets a record. What a killed process leaves is an upload as others are: it can be found and dropped.
 * Rejects with errors of the system.
 */
export class Staged {
  readonly #folder: string;
  /** What is known of uploads that were asked about, by id: a folder of 9,000 records is read once. */
  readonly #records = new Map<string, Map<number, PartRecord>>();

  /** @param folder of the job */
  constructor(folder: string) {
    this.#folder = folder;
  }

  async begin(key: string, partBytes: number): Promise<string> {
    const id = `${Date.now()}-${partBytes}-${randomBytes(8).toString('hex')}`;
    for (let tries = 1; ; tries++) {
      try {
        await mkdir(join(this.#folder, UPLOADS, key), { recursive: true, mode: 0o700 });
        await mkdir(this.#pathOf({ key, id }), { mode: 0o700 });
        break;
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT' || tries === MAKE_TRIES) throw error;
      }
    }
    this.#records.set(id, new Map());
    const uploads = join(this.#folder, UPLOADS);
    for (const folder of [join(uploads, key), uploads, this.#folder]) await syncFolder(folder);
    return id;
  }

  /** Resolves to the ETag when the part is durable. */
  async put(upload: TargetUpload, { number, bytes, md5 }: TargetPart): Promise<string> {
    const hash = createHash('md5').update(bytes).digest();
    if (hash.toString('base64') !== md5)
      throw new IsyncError('DIGEST_MISMATCH', `part ${number} is not what its MD5 says`, {
        path: upload.key,
      });
    const partBytes = partBytesOf(upload.id);
    if (bytes.length > partBytes)
      throw new IsyncError('INTERNAL', `part ${number} is larger than ${partBytes} bytes`, {
        path: upload.key,
      });
    const records = await this.#recordsOf(upload);
    if (records === undefined) throw gone(upload);
    const path = this.#pathOf(upload);
    const before = records.get(number);
    if (before !== undefined) {
      // Never may a record stand beside bytes of another part, whenever the power fails.
      records.delete(number);
      await unlink(join(path, before.record));
      await syncFolder(path);
    }
    await writeAt(join(path, CONTENT), bytes, (number - 1) * partBytes);
    const etag = hash.toString('hex');
    const record = `part-${String(number).padStart(5, '0')}-${bytes.length}-${etag}`;
    await (await open(join(path, record), 'w', 0o600)).close();
    await syncFolder(path);
    records.set(number, { size: bytes.length, etag, record });
    return etag;
  }

  /** Undefined where there is no such upload, or it has become an object. */
  async parts(upload: TargetUpload): Promise<ReadonlyMap<number, StoredPart> | undefined> {
    const records = await this.#recordsOf(upload);
    return records && new Map([...records].map(([number, { size, etag }]) => [number, { size, etag }]));
  }

  /**
   * Makes the content durable as a file of just the parts 1 to `etags.length`, and hands its path to `publish`, which moves it
   * away; the upload is gone then. Rejects where its parts are others. */
  async complete(
    upload: TargetUpload,
    etags: readonly string[],
    publish: (path: string) => Promise<void>,
  ): Promise<void> {
    const records = await this.#recordsOf(upload);
    if (records === undefined) throw gone(upload);
    const content = join(this.#pathOf(upload), CONTENT);
    await using file = await open(
      content,
      constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW,
      0o600,
    );
    // Of what was put before, more may have been written.
    await file.truncate(sizeOfParts(upload, etags, records));
    await file.sync();
    await publish(content);
    await this.remove(upload);
  }

  /** One that is gone is fine. */
  async remove(upload: TargetUpload): Promise<void> {
    this.#records.delete(upload.id);
    partBytesOf(upload.id);
    await rm(this.#pathOf(upload), { recursive: true, force: true });
    for (const folder of [join(this.#folder, UPLOADS, upload.key), join(this.#folder, UPLOADS)])
      await removeIfEmpty(folder);
  }

  /** All uploads under way. What else lies there is left alone, but for the empty folders of begun ones. */
  async *list(): AsyncGenerator<FolderUpload> {
    const uploads = join(this.#folder, UPLOADS);
    for (const key of await namesIn(uploads)) {
      const ids = await namesIn(join(uploads, key));
      if (ids.length === 0) await removeIfEmpty(join(uploads, key));
      for (const id of ids) {
        const startedMs = Number(ID.exec(id)?.[1]);
        if (!Number.isNaN(startedMs)) yield { key, id, startedMs };
      }
    }
    await removeIfEmpty(uploads);
  }

  async #recordsOf(upload: TargetUpload): Promise<Map<number, PartRecord> | undefined> {
    const known = this.#records.get(upload.id);
    if (known !== undefined) return known;
    partBytesOf(upload.id);
    const names = await namesIn(this.#pathOf(upload), undefined);
    if (names === undefined) return undefined;
    const found = new Map<number, PartRecord>();
    for (const record of names) {
      const [, number, size, etag] = RECORD.exec(record) ?? [];
      if (etag !== undefined) found.set(Number(number), { size: Number(size), etag, record });
    }
    // A part that is put meanwhile has its record from there.
    const meanwhile = this.#records.get(upload.id);
    if (meanwhile !== undefined) return meanwhile;
    this.#records.set(upload.id, found);
    // The content has been published, and its process has ended then.
    if (found.size > 0 && !names.includes(CONTENT)) {
      await this.remove(upload);
      return undefined;
    }
    return found;
  }

  #pathOf({ key, id }: TargetUpload): string {
    return join(this.#folder, UPLOADS, key, id);
  }
}

/** Moves a file over another one, or where none is; durable. */
export async function publish(path: string, folder: string, name: string): Promise<void> {
  await rename(path, join(folder, name));
  await syncFolder(folder);
}

function sizeOfParts(
  upload: TargetUpload,
  etags: readonly string[],
  records: ReadonlyMap<number, StoredPart>,
): number {
  const partBytes = partBytesOf(upload.id);
  let size = 0;
  for (const [at, etag] of etags.entries()) {
    const part = records.get(at + 1);
    const isWhole = part?.etag === etag && size === at * partBytes;
    if (!isWhole)
      throw new IsyncError('STORE_FAILED', `part ${at + 1} of the upload is another one`, {
        path: upload.key,
        retryable: false,
      });
    size += part.size;
  }
  return size;
}

/** Also keeps ids apart from paths that lead elsewhere. */
function partBytesOf(id: string): number {
  const partBytes = ID.exec(id)?.[2];
  if (partBytes === undefined) throw new IsyncError('MISSING', `no upload is called ${id}`);
  return Number(partBytes);
}

function gone({ key }: TargetUpload): IsyncError {
  return new IsyncError('MISSING', 'the upload is not there any more', { path: key });
}

async function writeAt(path: string, bytes: Uint8Array, position: number): Promise<void> {
  await using file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
  await file.sync();
}

async function namesIn(folder: string): Promise<readonly string[]>;
async function namesIn(folder: string, absent: undefined): Promise<readonly string[] | undefined>;
async function namesIn(folder: string, ...absent: [undefined?]): Promise<readonly string[] | undefined> {
  try {
    return await readdir(folder);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return absent.length === 0 ? [] : undefined;
    throw error;
  }
}

async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== 'ENOTEMPTY' && errno !== 'EEXIST' && errno !== 'ENOENT') throw error;
  }
}
