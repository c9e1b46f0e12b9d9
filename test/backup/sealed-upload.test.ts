import { randomBytes } from 'node:crypto';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { expect, it } from 'vitest';
import { createDecryption } from '../../src/backup/encrypt/create-decryption.ts';
import { createEncryption } from '../../src/backup/encrypt/create-encryption.ts';
import type { SealSecrets } from '../../src/backup/encrypt/encryption.ts';
import { until } from '../../harness/process.ts';
import { archiveOf, KEY } from './archive.ts';
import { MemoryTarget } from './memory-target.ts';
import { partsSent, UploadStage, writeAll } from './upload-stage.ts';

const PART_BYTES = 100_000;

it('an archive of age goes on with the secrets of the state, byte for byte, and opens', async () => {
  const identity = await generateIdentity();
  const encryption = createEncryption([await identityToRecipient(identity)]);
  const content = randomBytes(7 * PART_BYTES);
  const sealed = (secrets: SealSecrets, bytes = content): Buffer => {
    const sealer = encryption.sealer(secrets);
    return Buffer.concat([sealer.seal(bytes), sealer.end()]);
  };
  const target = new MemoryTarget();
  const settings = { partBytes: PART_BYTES, secrets: await encryption.begin() };
  const stage = await UploadStage.start([target], settings);

  const upload = await stage.open([target]);
  await writeAll(upload, sealed(stage.pack.secrets!).subarray(0, 4 * PART_BYTES));
  const done = () => stage.state.targets.parts('memory', 3).filter(({ status }) => status === 'done');
  await until('four parts', () => done().length === 4);
  await upload[Symbol.asyncDispose]();
  target.calls.length = 0;

  const changed = Buffer.from(content);
  changed[2 * PART_BYTES]! ^= 1;
  await expect(stage.run([target], sealed(stage.pack.secrets!, changed))).rejects.toMatchObject({
    code: 'FILE_CHANGED',
  });
  expect(partsSent(target)).toEqual([]);
  const archive = sealed(stage.pack.secrets!);
  expect(await stage.run([target], archive)).toMatchObject([{ error: undefined }]);
  expect(partsSent(target)).toEqual([5, 6, 7, 8]);
  const { bytes } = target.objects.get(KEY)!;
  expect(archiveOf(bytes)).toEqual(archiveOf(archive));

  const opened = await createDecryption(identity).open((await target.read(KEY))!);
  const pieces: Uint8Array[] = [];
  for await (const piece of opened.read(0, opened.size)) pieces.push(Buffer.from(piece));
  expect(Buffer.concat(pieces).equals(content)).toBe(true);
});
