import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { allDay } from '../../src/flow/bandwidth.ts';
import { openJobState } from '../../src/backup/state/open-state.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { until } from '../../harness/process.ts';
import { archiveOf, KEY, PART_BYTES } from './archive.ts';
import { MemoryTarget } from './memory-target.ts';
import { partsSent, UploadStage, writeAll } from './upload-stage.ts';

const expired = () => new IsyncError('STORE_REFUSED', 'expired', { retryable: true });

describe('the upload of an archive', () => {
  it('sends parts of one size while it is written, with no other request than it needs', async () => {
    const target = new MemoryTarget();
    const stage = await UploadStage.start([target]);
    const bytes = randomBytes(5 * PART_BYTES + 1);
    const upload = await stage.open([target]);
    await writeAll(upload, bytes.subarray(0, 250));
    await until('two parts', () => partsSent(target).length === 2);
    await writeAll(upload, bytes.subarray(250));
    const outcomes = await upload.finish(archiveOf(bytes));
    await upload[Symbol.asyncDispose]();
    expect(outcomes).toEqual([{ target: 'memory', error: undefined, isResumable: false }]);
    expect(target.objects.get(KEY)!.bytes).toEqual(bytes);
    expect(partsSent(target)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(target.calls).toHaveLength(6 + 2);
    expect(stage.state.targets.parts('memory', 3)).toMatchObject(
      [100, 100, 100, 100, 100, 1].map((size, at) => ({ number: at + 1, size, status: 'done' })),
    );
    expect(stage.state.targets.upload('memory', 3)?.outcome).toBe('complete');
    expect(stage.pack).toMatchObject({ packed: archiveOf(bytes), isOverflowed: false });
    expect(await stage.spooled()).toBeUndefined();
  });

  it('has the MD5 of a part in the state before any of it leaves', async () => {
    const target = new MemoryTarget();
    const stage = await UploadStage.start([target]);
    using other = await openJobState(stage.stateDir);
    const bytes = randomBytes(3 * PART_BYTES);
    const seen: (string | undefined)[] = [];
    target.before = (call) => {
      const [what, number] = call.split(' ');
      if (what === 'putPart') seen[Number(number)] = other.packs.parts(3).get(Number(number))?.md5;
    };
    await stage.run([target], bytes);
    const md5s = [0, 1, 2].map((at) =>
      createHash('md5')
        .update(bytes.subarray(at * PART_BYTES, (at + 1) * PART_BYTES))
        .digest('hex'),
    );
    expect(seen.slice(1)).toEqual(md5s);
  });

  it.each([
    { partBytes: PART_BYTES, most: 4 },
    { partBytes: 24 * 1024 * 1024, most: 2 },
  ])('has at most $most parts of $partBytes bytes under way', async ({ partBytes, most }) => {
    const target = new MemoryTarget();
    const stage = await UploadStage.start([target], { partBytes });
    let underWay = 0;
    let highest = 0;
    const release = Promise.withResolvers<void>();
    target.hold = async () => {
      highest = Math.max(highest, ++underWay);
      await release.promise;
      underWay--;
    };
    const upload = await stage.open([target], { spoolBytes: 10 * partBytes });
    const bytes = Buffer.alloc((most + 1) * partBytes);
    await writeAll(upload, bytes, partBytes);
    await until('parts under way', () => underWay === most);
    release.resolve();
    await upload.finish(archiveOf(bytes));
    await upload[Symbol.asyncDispose]();
    expect(highest).toBe(most);
  });

  it('waits where the spool is full, and says so', async () => {
    const target = new MemoryTarget();
    const stage = await UploadStage.start([target]);
    const release = Promise.withResolvers<void>();
    target.hold = async () => await release.promise;
    const bytes = randomBytes(8 * PART_BYTES);
    const upload = await stage.open([target], { spoolBytes: 3 * PART_BYTES });
    let isWritten = false;
    const writing = writeAll(upload, bytes).then(() => (isWritten = true));
    await until('a full spool', () => stage.pack.isOverflowed);
    expect([...(await stage.spooled())!.values()]).toEqual([100, 100, 100]);
    expect(isWritten).toBe(false);
    release.resolve();
    await writing;
    await upload.finish(archiveOf(bytes));
    await upload[Symbol.asyncDispose]();
    expect(target.objects.get(KEY)!.bytes).toEqual(bytes);
  });

  it('keeps one part in the spool, however small that is', async () => {
    const target = new MemoryTarget();
    const stage = await UploadStage.start([target]);
    const bytes = randomBytes(3 * PART_BYTES);
    await stage.run([target], bytes, { spoolBytes: 1 });
    expect(target.objects.get(KEY)!.bytes).toEqual(bytes);
  });

  it('holds to its limit of bytes a second, for all targets together', async () => {
    const targets = [new MemoryTarget({ name: 'a' }), new MemoryTarget({ name: 'b' })];
    const stage = await UploadStage.start(targets);
    const began = performance.now();
    await stage.run(targets, randomBytes(5 * PART_BYTES), { bwlimit: allDay(2000) });
    // 1,000 bytes, of which the burst passes at once, and the last part before it is paid for.
    expect(performance.now() - began).toBeGreaterThan(300);
  });

  it('makes each failed try a warning, and goes on', async () => {
    const target = new MemoryTarget();
    const stage = await UploadStage.start([target]);
    const failures = ['begin', 'putPart 2', 'complete'];
    target.before = (call) => {
      if (failures.length > 0 && call.startsWith(failures[0]!)) {
        failures.shift();
        throw new IsyncError('LINK_LOST', 'cut');
      }
    };
    const retried: string[] = [];
    const bytes = randomBytes(2 * PART_BYTES);
    await stage.run([target], bytes, { onRetry: ({ code }) => retried.push(code) });
    expect(target.objects.get(KEY)!.bytes).toEqual(bytes);
    expect(retried).toHaveLength(3);
    expect(stage.log.at('warn').map(({ fields }) => [fields['target'], fields['what']])).toEqual([
      ['memory', 'begin an upload'],
      ['memory', 'put part 2'],
      ['memory', 'complete an upload'],
    ]);
  });

  it('leaves the other targets complete where one fails', async () => {
    const [good, bad] = [new MemoryTarget({ name: 'good' }), new MemoryTarget({ name: 'bad' })];
    const stage = await UploadStage.start([good, bad]);
    bad.before = (call) => {
      if (call.startsWith('putPart 2')) throw new IsyncError('MISSING', 'the upload is gone');
    };
    const bytes = randomBytes(6 * PART_BYTES);
    const outcomes = await stage.run([good, bad], bytes);
    expect(outcomes).toMatchObject([
      { target: 'good', error: undefined },
      { target: 'bad', error: { code: 'MISSING' }, isResumable: false },
    ]);
    expect(good.objects.get(KEY)!.bytes).toEqual(bytes);
    expect(stage.state.targets.upload('bad', 3)?.outcome).toBe('failed');
    expect(stage.state.targets.parts('bad', 3).find(({ number }) => number === 2)?.status).toBe('failed');
    expect(await stage.spooled()).toBeUndefined();
    // It is not begun again.
    bad.calls.length = 0;
    expect(await stage.run([good, bad], bytes)).toMatchObject([{ error: undefined }, { isResumable: false }]);
    expect(bad.calls).toEqual([]);
  });

  it('rejects a write once every target has failed', async () => {
    const targets = [new MemoryTarget({ name: 'a' }), new MemoryTarget({ name: 'b' })];
    const stage = await UploadStage.start(targets);
    for (const target of targets)
      target.before = (call) => {
        if (call.startsWith('putPart 2')) throw expired();
      };
    await expect(
      stage.run(targets, randomBytes(50 * PART_BYTES), { spoolBytes: 5 * PART_BYTES }),
    ).rejects.toMatchObject({ code: 'STORE_REFUSED' });
    expect(await stage.spooled()).toBeUndefined();
  });

  it('does not wait for a target that has stopped', async () => {
    const [good, bad] = [new MemoryTarget({ name: 'good' }), new MemoryTarget({ name: 'bad' })];
    const stage = await UploadStage.start([good, bad]);
    bad.before = (call) => {
      if (call.startsWith('begin')) throw expired();
    };
    const bytes = randomBytes(20 * PART_BYTES);
    const outcomes = await stage.run([good, bad], bytes, { spoolBytes: 5 * PART_BYTES });
    expect(outcomes).toMatchObject([{ error: undefined }, { isResumable: false }]);
    expect(good.objects.get(KEY)!.bytes).toEqual(bytes);
    expect(stage.state.targets.upload('bad', 3)).toMatchObject({ id: '', outcome: 'failed' });
  });

  it('gives the room back and stops where the spool can not be written', async () => {
    const target = new MemoryTarget();
    const stage = await UploadStage.start([target]);
    await using upload = await stage.open([target]);
    await mkdir(join(stage.stateDir, 'spool/3/00003'));
    await expect(writeAll(upload, randomBytes(5 * PART_BYTES))).rejects.toMatchObject({
      code: 'STORE_FAILED',
    });
    await expect(upload.finish(archiveOf(Buffer.alloc(0)))).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await upload[Symbol.asyncDispose]();
    expect(await stage.spooled()).toBeUndefined();
    expect(stage.state.targets.upload('memory', 3)?.outcome).toBe('pending');
  });

  it('sends a part that is not whole in the spool to nobody', async () => {
    const target = new MemoryTarget();
    const stage = await UploadStage.start([target]);
    const release = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    target.hold = async () => {
      begun.resolve();
      await release.promise;
    };
    const bytes = randomBytes(6 * PART_BYTES);
    await using upload = await stage.open([target]);
    await writeAll(upload, bytes);
    await begun.promise;
    await writeFile(join(stage.stateDir, 'spool/3/00006'), 'short');
    release.resolve();
    expect(await upload.finish(archiveOf(bytes))).toMatchObject([
      { error: { code: 'STORE_FAILED' }, isResumable: true },
    ]);
    expect(partsSent(target)).not.toContain(6);
  });
});
