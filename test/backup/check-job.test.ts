import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../harness/free-port.ts';
import { checkJob, type CheckedJob, type CheckOptions } from '../../src/backup/check/check-job.ts';
import { checkLines } from '../../src/backup/check/check-lines.ts';
import { createEncryption } from '../../src/backup/encrypt/create-encryption.ts';
import type { Manifest } from '../../src/backup/manifest/manifest.ts';
import { openTarget } from '../../src/backup/target/open-target.ts';

const { signal } = new AbortController();
const NAME = 'app_full_20250405T120000Z_001.tar.age';
const none: CheckOptions['newest'] = async () => undefined;

let folder: string;
let job: CheckedJob;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'isync-check-'));
  job = { name: 'app', to: [{ kind: 'folder', path: folder }], tags: {}, identityFile: undefined };
});
afterEach(async () => await rm(folder, { recursive: true, force: true }));

/** An encrypted backup in the store: what a check reads of it. */
async function backupFor(identity: string): Promise<CheckOptions['newest']> {
  const encryption = createEncryption([await identityToRecipient(identity)]);
  await using target = openTarget({ kind: 'folder', path: folder }, 'app');
  const stored = async (key: string) => {
    const sealer = encryption.sealer(await encryption.begin());
    const bytes = Buffer.concat([sealer.seal(Buffer.alloc(200_000, key)), sealer.end()]);
    await target.put(key, bytes);
    return { key, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  };
  const archive = await stored(NAME);
  const list = { ...(await stored(`${NAME}.files`)), records: 1 };
  return async () => ({ name: NAME, isEncrypted: true, archive, list }) as unknown as Manifest;
}

async function withKey(identity: string): Promise<CheckedJob> {
  const identityFile = join(folder, 'key');
  await writeFile(identityFile, `# a comment\n${identity}\n`, { mode: 0o600 });
  return { ...job, identityFile };
}

describe('a check of a job', () => {
  it('says of each of its stores whether runs can work there', async () => {
    const missing = join(folder, 'missing');
    const both = { ...job, to: [...job.to, { kind: 'folder', path: missing } as const] };
    const [here, gone] = await checkJob(both, { signal, newest: none });
    expect(here).toMatchObject({ isOk: true, identity: { outcome: 'skipped' } });
    expect(gone).toMatchObject({ isOk: false });
    expect(checkLines(here!)).toEqual([
      `${folder}: ok`,
      `  ok      ${folder}`,
      '  ok      list objects',
      '  ok      list uploads under way',
      '  ok      put an object in parts',
      '  ok      list parts',
      '  ok      read back',
      '  ok      abort an upload',
      '  ok      remove',
      '  ok      clocks agree',
    ]);
    expect(checkLines(gone!)[0]).toBe(`${missing}: FAILED`);
    expect(await readdir(join(folder, 'app'))).toEqual([]);
  });

  it('of a server that nobody reaches says so, and asks for no permission there', async () => {
    const endpoint = `http://127.0.0.1:${await freePort()}`;
    const credentials = { accessKeyId: 'a', secretAccessKey: 's', sessionToken: undefined };
    const to = {
      kind: 's3',
      bucket: 'bucket',
      prefix: '',
      endpoints: [endpoint],
      credentials,
    } as unknown as CheckedJob['to'][number];
    const [found] = await checkJob({ ...job, to: [to] }, { signal, newest: none, samples: 2 });
    expect(found).toMatchObject({ isOk: false, permissions: [] });
    expect(checkLines(found!)[1]).toMatch(
      new RegExp(`FAILED {2}${endpoint}: connect -, first byte -, 2 of 2 lost: `),
    );
  });

  it('proves that the identity file opens the newest backup', async () => {
    const identity = await generateIdentity();
    const newest = await backupFor(identity);
    const [found] = await checkJob(await withKey(identity), { signal, newest });
    expect(found).toMatchObject({ isOk: true, identity: { outcome: 'ok', backup: NAME } });
    expect(checkLines(found!).at(-1)).toBe(`  ok      the identity file opens ${NAME}`);
  });

  it('finds that the identity file is of another key, that the backup is cut, or gone', async () => {
    const identity = await generateIdentity();
    const newest = await backupFor(identity);
    const [other] = await checkJob(await withKey(await generateIdentity()), { signal, newest });
    expect(other).toMatchObject({
      isOk: false,
      identity: { outcome: 'failed', error: { code: 'KEY_MISSING' } },
    });
    const list = join(folder, 'app', `${NAME}.files`);
    await truncate(list, 70_000);
    const [cut] = await checkJob(await withKey(identity), { signal, newest });
    expect(cut).toMatchObject({ isOk: false, identity: { error: { code: 'BACKUP_DAMAGED' } } });
    await rm(list);
    const [gone] = await checkJob(await withKey(identity), { signal, newest });
    expect(gone).toMatchObject({ isOk: false, identity: { error: { code: 'BACKUP_DAMAGED' } } });
  });

  it('asks for no key where there is no backup, or none that is encrypted', async () => {
    const keyed = await withKey(await generateIdentity());
    const [first] = await checkJob(keyed, { signal, newest: none });
    expect(first?.identity).toEqual({ outcome: 'skipped' });
    const plain = async () => ({ isEncrypted: false }) as unknown as Manifest;
    const [second] = await checkJob(keyed, { signal, newest: plain });
    expect(second?.identity).toEqual({ outcome: 'skipped' });
  });

  it('finds that the identity file is missing', async () => {
    const lost = { ...job, identityFile: join(folder, 'lost') };
    const [found] = await checkJob(lost, { signal, newest: none });
    expect(found).toMatchObject({ isOk: false, identity: { error: { code: 'CONFIG_INVALID' } } });
  });
});
