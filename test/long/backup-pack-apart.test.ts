import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { beforeEach, describe, expect, it } from 'vitest';
import { createDecryption } from '../../src/backup/encrypt/create-decryption.ts';
import { createEncryption } from '../../src/backup/encrypt/create-encryption.ts';
import { packApart } from '../../src/backup/apart/pack-apart.ts';
import { packHere, type PackHooks, type PackOrder } from '../../src/backup/apart/pack-order.ts';
import { SLOT_BYTES, SLOTS } from '../../src/backup/apart/messages.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { RecordingLog } from '../recording-log.ts';
import { PackStage, packed } from '../backup/packing.ts';

const stage = PackStage.use();
beforeEach(() => {
  mkdirSync(stage.state);
});

function orderOf(more: Partial<PackOrder> = {}): PackOrder {
  return {
    job: { ...stage.job(), compress: 'none' },
    version: 2,
    base: undefined,
    before: undefined,
    isRehash: false,
    secrets: undefined,
    listFile: join(stage.state, '2.files'),
    scratchFolder: join(stage.state, 'scratch'),
    ...more,
  };
}

/** Hooks, and what has come through them. */
function hooks(more: Partial<PackHooks> = {}) {
  const pieces: Buffer[] = [];
  const log = new RecordingLog();
  const { signal } = new AbortController();
  const sink = { write: async (bytes: Uint8Array) => void pieces.push(Buffer.from(bytes)) };
  return { hooks: { sink, log, signal, ...more }, log, archive: () => Buffer.concat(pieces) };
}

describe('packing in a thread of its own', () => {
  it('gives the same bytes and the same counts, encrypted and on a base', async () => {
    stage.fill();
    const first = await packed(stage.job(), 1);
    stage.put('new', randomBytes(SLOT_BYTES * (SLOTS + 1)));
    const identity = await generateIdentity();
    const order = orderOf({
      base: { version: 1, listFile: first.listFile, records: first.records },
      secrets: await createEncryption([await identityToRecipient(identity)]).begin(),
    });
    const [here, apart] = [hooks(), hooks()];
    const wanted = await packHere(order, here.hooks);
    const found = await packApart(order, apart.hooks);
    expect(found).toEqual(wanted);
    expect(apart.archive().equals(here.archive())).toBe(true);
    const sealed = apart.archive();
    const ranges = {
      size: sealed.length,
      async *read(from: number, to: number) {
        yield sealed.subarray(from, to);
      },
    };
    expect((await createDecryption(identity).open(ranges)).size).toBeGreaterThan(SLOT_BYTES * (SLOTS + 1));
  });

  it('tells the log of this thread', async () => {
    stage.put('keep');
    stage.put('x'.repeat(200));
    const { hooks: given, log } = hooks();
    const before = { files: 1000, bytes: 1_000_000 };
    expect(await packApart(orderOf({ before }), given)).toMatchObject({ isShrunk: true });
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { filesBefore: 1000 } }]);
  });

  it('ends with what the sink rejects with', async () => {
    stage.put('large', randomBytes(SLOT_BYTES * (SLOTS + 2)));
    const error = new IsyncError('STORE_FULL', 'no room');
    const sink = { write: () => Promise.reject(error) };
    await expect(packApart(orderOf(), hooks({ sink }).hooks)).rejects.toBe(error);
  });

  it('ends with why it was interrupted, also while the sink has no room', async () => {
    stage.put('large', randomBytes(SLOT_BYTES * (SLOTS + 2)));
    const stop = new AbortController();
    const error = new IsyncError('INTERRUPTED', 'stopped');
    const sink = {
      write: async () => {
        stop.abort(error);
        throw error;
      },
    };
    await expect(packApart(orderOf(), hooks({ sink, signal: stop.signal }).hooks)).rejects.toBe(error);
  });

  it('fails with the code of what is wrong', async () => {
    await expect(packApart(orderOf(), hooks().hooks)).rejects.toMatchObject({ code: 'SOURCE_FAILED' });
  });
});
