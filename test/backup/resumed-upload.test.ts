import { randomBytes } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TargetObject, TargetUpload } from '../../src/backup/target/target.ts';
import { dropArchive } from '../../src/backup/upload/drop-archive.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { until } from '../../harness/process.ts';
import { RecordingLog } from '../recording-log.ts';
import { archiveOf, KEY, packOf, PART_BYTES, SECRETS } from './archive.ts';
import { MemoryTarget } from './memory-target.ts';
import { partsSent, UploadStage, writeAll } from './upload-stage.ts';

const expired = () => new IsyncError('STORE_REFUSED', 'expired', { retryable: true });

/** Ends the upload, as a signal does, when a call begins. */
function interruptAt(target: MemoryTarget, text: string): AbortController {
  const stop = new AbortController();
  target.before = (call) => {
    if (!call.startsWith(text)) return;
    stop.abort(new Error('interrupted'));
    throw new IsyncError('LINK_LOST', 'cut');
  };
  return stop;
}

function renewed(...targets: readonly MemoryTarget[]): void {
  for (const target of targets) {
    target.before = () => undefined;
    target.calls.length = 0;
  }
}

describe('an upload that was interrupted', () => {
  it('sends what the target has not again, where it is packed again', async () => {
    const target = new MemoryTarget();
    const stage = await UploadStage.start([target]);
    const bytes = randomBytes(9 * PART_BYTES + 5);
    const upload = await stage.open([target]);
    await writeAll(upload, bytes.subarray(0, 550));
    await until('five parts', () => partsSent(target).length === 5);
    await upload[Symbol.asyncDispose]();
    expect(await stage.spooled()).toBeUndefined();
    renewed(target);
    await stage.run([target], bytes);
    expect(partsSent(target)).toEqual([6, 7, 8, 9, 10]);
    expect(target.calls.filter((call) => !call.startsWith('putPart'))).toEqual([
      `parts ${KEY}`,
      `complete ${KEY}`,
    ]);
    expect(target.objects.get(KEY)!.bytes).toEqual(bytes);
  });

  it('goes on from the spool alone, once it was packed', async () => {
    const target = new MemoryTarget();
    const stage = await UploadStage.start([target]);
    const bytes = randomBytes(9 * PART_BYTES + 5);
    const stop = new AbortController();
    target.hold = async (call) => {
      if (!call.startsWith('putPart 6')) return;
      await until('the archive to be packed', () => stage.pack.packed !== undefined);
      stop.abort(new Error('interrupted'));
      throw new Error('interrupted');
    };
    await expect(stage.run([target], bytes, { signal: stop.signal })).rejects.toThrow('interrupted');
    target.hold = () => undefined;
    renewed(target);
    const upload = await stage.open([target]);
    expect(upload.isPacked).toBe(true);
    await upload.finish(stage.pack.packed!);
    await upload[Symbol.asyncDispose]();
    expect(target.objects.get(KEY)!.bytes).toEqual(bytes);
    expect(partsSent(target)).toContain(6);
    expect(Math.min(...partsSent(target))).toBeGreaterThan(1);
    expect(await stage.spooled()).toBeUndefined();
  });

  it('is packed again where the spool has lost a part, and where the target has', async () => {
    const target = new MemoryTarget();
    const stage = await UploadStage.start([target]);
    const bytes = randomBytes(4 * PART_BYTES);
    target.before = (call) => {
      if (call.startsWith('putPart 4')) throw expired();
    };
    await stage.run([target], bytes);
    expect([...(await stage.spooled())!.keys()]).toContain('00004');
    await writeFile(join(stage.stateDir, 'spool/3/00004'), Buffer.alloc(PART_BYTES));
    renewed(target);
    await using upload = await stage.open([target]);
    expect(upload.isPacked).toBe(false);
    await upload[Symbol.asyncDispose]();
    await target.abort({ key: KEY, id: stage.state.targets.upload('memory', 3)!.id });
    renewed(target);
    await stage.run([target], bytes);
    expect(partsSent(target)).toEqual([1, 2, 3, 4]);
    expect(target.objects.get(KEY)!.bytes).toEqual(bytes);
  });

  it('goes on once credentials that expired in the middle are renewed, each target on its own', async () => {
    const [good, bad] = [new MemoryTarget({ name: 'good' }), new MemoryTarget({ name: 'bad' })];
    const stage = await UploadStage.start([good, bad]);
    const bytes = randomBytes(12 * PART_BYTES);
    let left = 6;
    bad.before = () => {
      if (left-- <= 0) throw expired();
    };
    const outcomes = await stage.run([good, bad], bytes);
    expect(outcomes).toMatchObject([
      { error: undefined, isResumable: false },
      { error: { code: 'STORE_REFUSED' }, isResumable: true },
    ]);
    // They still are.
    renewed(good, bad);
    bad.before = () => {
      throw expired();
    };
    const spooled = await stage.spooled();
    expect(await stage.run([good, bad], bytes)).toMatchObject([{}, { isResumable: true }]);
    expect(await stage.spooled()).toEqual(spooled);
    renewed(good, bad);
    expect(await stage.run([good, bad], bytes)).toMatchObject([{ error: undefined }, { error: undefined }]);
    expect(good.calls).toEqual([]);
    expect(partsSent(bad).length).toBeLessThan(12);
    expect(bad.objects.get(KEY)!.bytes).toEqual(bytes);
    expect(await stage.spooled()).toBeUndefined();
  });

  it('goes on with all targets where all had stopped, however full the spool was', async () => {
    const targets = [new MemoryTarget({ name: 'a' }), new MemoryTarget({ name: 'b' })];
    const stage = await UploadStage.start(targets);
    const bytes = randomBytes(20 * PART_BYTES);
    const full = until('a full spool', () => stage.pack.isOverflowed);
    for (const target of targets)
      target.hold = async () => {
        await full;
        throw expired();
      };
    const settings = { spoolBytes: 4 * PART_BYTES };
    const upload = await stage.open(targets, settings);
    await expect(upload.sink.write(bytes)).rejects.toMatchObject({ code: 'STORE_REFUSED' });
    await upload[Symbol.asyncDispose]();
    for (const target of targets) target.hold = () => undefined;
    expect(await stage.run(targets, bytes, settings)).toMatchObject([
      { error: undefined },
      { error: undefined },
    ]);
    for (const { objects } of targets) expect(objects.get(KEY)!.bytes).toEqual(bytes);
  });

  it('knows an archive that is complete, though nobody got to write that down', async () => {
    const stop = new AbortController();
    class Lost extends MemoryTarget {
      override async complete(
        upload: TargetUpload,
        etags: readonly string[],
        size: number,
      ): Promise<TargetObject> {
        await super.complete(upload, etags, size);
        stop.abort(new Error('interrupted'));
        throw new IsyncError('LINK_LOST', 'no answer');
      }
    }
    const target = new Lost();
    const stage = await UploadStage.start([target]);
    const bytes = randomBytes(3 * PART_BYTES);
    await expect(stage.run([target], bytes, { signal: stop.signal })).rejects.toThrow('interrupted');
    expect(stage.state.targets.upload('memory', 3)?.outcome).toBe('pending');
    renewed(target);
    expect(await stage.run([target], bytes)).toMatchObject([{ error: undefined }]);
    expect(target.calls).toEqual([`parts ${KEY}`, `head ${KEY}`]);
    expect(stage.state.targets.upload('memory', 3)?.outcome).toBe('complete');
  });
});

describe('an archive that is packed again and differs', () => {
  const first = randomBytes(5 * PART_BYTES + 20);
  const changed = Buffer.from(first);
  changed[250]! ^= 1;

  it('is sent over the earlier parts where it is not encrypted', async () => {
    const target = new MemoryTarget();
    const stage = await UploadStage.start([target]);
    const stop = interruptAt(target, 'complete');
    await expect(stage.run([target], first, { signal: stop.signal })).rejects.toThrow('interrupted');
    stage.state.packs.begin(packOf([target]));
    renewed(target);
    const shorter = changed.subarray(0, 4 * PART_BYTES);
    await stage.run([target], shorter);
    expect(partsSent(target)).toEqual([3]);
    expect(target.objects.get(KEY)!.bytes).toEqual(shorter);
  });

  it.each([
    { what: 'in the middle', bytes: changed, sent: [1, 2] },
    { what: 'at its end', bytes: Buffer.concat([first, Buffer.alloc(1)]), sent: [1, 2, 3, 4, 5] },
    { what: 'and is shorter', bytes: first.subarray(0, 3 * PART_BYTES), sent: [1, 2, 3] },
  ])('$what is refused where it is encrypted, and begins anew with other secrets', async ({ bytes }) => {
    const target = new MemoryTarget();
    const stage = await UploadStage.start([target], { secrets: SECRETS });
    const stop = interruptAt(target, 'complete');
    await expect(stage.run([target], first, { signal: stop.signal })).rejects.toThrow('interrupted');
    const { version } = stage.pack;
    stage.state.packs.begin(packOf([target], { secrets: SECRETS }));
    // Not even to an upload that knows nothing of the earlier one.
    await target.abort({ key: KEY, id: stage.state.targets.upload('memory', version)!.id });
    renewed(target);
    const upload = await stage.open([target]);
    const packing = writeAll(upload, bytes).then(() => upload.finish(archiveOf(bytes)));
    await expect(packing).rejects.toMatchObject({ code: 'FILE_CHANGED' });
    await upload[Symbol.asyncDispose]();
    const { stateDir, state } = stage;
    const log = new RecordingLog();
    await dropArchive({ version, targets: [target], state, stateDir, log });
    expect(state.packs.find()).toEqual([]);
    state.packs.begin(packOf([target], { secrets: { ...SECRETS, nonce: Buffer.alloc(16, 3) } }));
    renewed(target);
    await stage.run([target], bytes);
    expect(target.objects.get(KEY)!.bytes).toEqual(bytes);
    const uploads = [];
    for await (const each of target.uploads()) uploads.push(each);
    expect(uploads).toEqual([]);
    expect(log.lines).toEqual([]);
  });

  it('is refused where it is complete at a target already', async () => {
    const [good, bad] = [new MemoryTarget({ name: 'good' }), new MemoryTarget({ name: 'bad' })];
    const stage = await UploadStage.start([good, bad]);
    bad.before = () => {
      throw expired();
    };
    await stage.run([good, bad], first);
    await writeFile(join(stage.stateDir, 'spool/3/00001'), '');
    renewed(good, bad);
    await expect(stage.run([good, bad], changed)).rejects.toMatchObject({ code: 'FILE_CHANGED' });
    expect(good.objects.get(KEY)!.bytes).toEqual(first);
  });
});

describe('an archive that is dropped', () => {
  it('is forgotten, also where a target can not be reached', async () => {
    const [first, second] = [new MemoryTarget({ name: 'first' }), new MemoryTarget({ name: 'second' })];
    const stage = await UploadStage.start([first, second]);
    for (const target of [first, second])
      target.before = (call) => {
        if (call.startsWith('putPart 3')) throw expired();
      };
    await stage.run([first, second], randomBytes(3 * PART_BYTES));
    expect((await stage.spooled())!.size).toBeGreaterThan(0);
    first.before = () => {
      throw new IsyncError('UNREACHABLE', 'no answer');
    };
    const { stateDir, state, log } = stage;
    const spooled = async () => await readdir(join(stateDir, 'spool'));
    expect(await spooled()).toEqual(['3']);
    await dropArchive({ version: 3, targets: [first, second], state, stateDir, log });
    expect(log.at('warn')).toMatchObject([{ fields: { target: 'first', key: KEY } }]);
    expect(second.calls.at(-1)).toBe(`abort ${KEY}`);
    expect(state.packs.find()).toEqual([]);
    expect(state.targets.upload('second', 3)).toBeUndefined();
    expect(await spooled()).toEqual([]);
  });
});
