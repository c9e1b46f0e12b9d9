import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { openFolderTarget } from '../../src/backup/target/folder/folder-target.ts';
import { openJobState } from '../../src/backup/state/open-state.ts';
import type { BackupTarget } from '../../src/backup/target/target.ts';
import { openArchiveUpload } from '../../src/backup/upload/open-upload.ts';
import { RecordingLog } from '../recording-log.ts';
import { ARCHIVE, archiveOf, packOf } from './archive.ts';

/**
 * Writes to a target in a folder, and kills itself as it is about to make a call of the file system; without one it ends with what
 * it was to do.
 *
 *     node killed.ts (objects|archive) FOLDER CALL
 */
const [mode = '', folder = '', call = ''] = process.argv.slice(2);
let left = Number(call);

/** Before the functions are imported by what is tested, which has them as they are by then. */
async function killAtCall(): Promise<void> {
  const file = await fs.promises.open(folder);
  const handle: unknown = Object.getPrototypeOf(file);
  await file.close();
  intercept(fs.promises, ['open', 'mkdir', 'rename', 'unlink', 'rm', 'rmdir', 'link', 'readdir', 'readFile']);
  intercept(handle, ['write', 'sync', 'close', 'truncate']);
  syncBuiltinESMExports();
}

function intercept(owner: unknown, names: readonly string[]): void {
  const functions = owner as Record<string, (...args: unknown[]) => unknown>;
  for (const name of names) {
    const real = functions[name]!;
    functions[name] = function (this: unknown, ...args) {
      if (--left === 0) process.kill(process.pid, 'SIGKILL');
      return real.apply(this, args);
    };
  }
}

function md5Of(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64');
}

/** What a run does to a folder where "a" has been "one". */
async function writeObjects(target: BackupTarget): Promise<void> {
  await target.put('a', Buffer.from('other'));
  await target.putIfAbsent('b', Buffer.from('new'));
  const upload = { key: 'c', id: await target.begin('c', { partBytes: 4, tags: {}, metadata: {} }) };
  const parts = ['five', 'part', 's!'].map((text) => Buffer.from(text));
  await target.putPart(upload, { number: 2, bytes: Buffer.from('over'), md5: md5Of(Buffer.from('over')) });
  const etags = await Promise.all(
    parts.map((bytes, at) => target.putPart(upload, { number: at + 1, bytes, md5: md5Of(bytes) })),
  );
  await target.complete(upload, etags, 10);
  const dropped = { key: 'd', id: await target.begin('d', { partBytes: 4, tags: {}, metadata: {} }) };
  await target.putPart(dropped, { number: 1, bytes: parts[0]!, md5: md5Of(parts[0]!) });
  await target.abort(dropped);
  await target.remove('b');
}

/** A run that goes on with what those before have left. */
async function uploadArchive(target: BackupTarget): Promise<void> {
  const stateDir = join(folder, 'state');
  using state = await openJobState(stateDir);
  if (state.packs.find().length === 0) state.packs.begin(packOf([target], { partBytes: 20_000 }));
  const [pack] = state.packs.find();
  await using upload = await openArchiveUpload({
    pack: pack!,
    targets: [target],
    attributes: { tags: {}, metadata: {} },
    state,
    stateDir,
    spoolBytes: 90_000,
    bwlimit: undefined,
    log: new RecordingLog(),
    signal: new AbortController().signal,
  });
  if (!upload.isPacked) await upload.sink.write(ARCHIVE);
  const [outcome] = await upload.finish(archiveOf(ARCHIVE));
  if (outcome!.error !== undefined) throw outcome!.error;
}

await killAtCall();
const target = openFolderTarget({ path: join(folder, 'target'), job: 'app' });
await (mode === 'objects' ? writeObjects(target) : uploadArchive(target));
process.stdout.write(`done with ${Number(call) - left} calls\n`);
