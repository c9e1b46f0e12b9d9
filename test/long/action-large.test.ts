import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { LARGE_BYTES } from '../../src/events/action/download/write-object.ts';
import { RANGE_BYTES } from '../../src/events/action/download/ranges.ts';
import type { IsyncError } from '../../src/model/isync-error.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { ActionStage } from '../events/action-stage.ts';

const SIZE = LARGE_BYTES + RANGE_BYTES + 12_345;

function contentOf(seed: number): Buffer {
  const block = randomBytes(64 * 1024);
  const bytes = Buffer.alloc(SIZE, block);
  bytes.writeUInt32BE(seed, SIZE - 4);
  return bytes;
}

function rangeStart({ headers }: IncomingMessage): number | undefined {
  const start = /^bytes=(\d+)-/.exec(headers.range ?? '')?.[1];
  return start === undefined ? undefined : Number(start);
}

await withS3Server((server) => {
  describe('a large object', () => {
    it('comes in ranges of one version, in any order, and whole', async () => {
      const stage = await ActionStage.start(server);
      const content = contentOf(1);
      const etag = await stage.put('f', content);
      expect(etag).toBe(createHash('md5').update(content).digest('hex'));
      const starts: number[] = [];
      let release = (): void => {};
      const second = new Promise<void>((resolve) => (release = resolve));
      stage.front.before = (request) => {
        const start = rangeStart(request);
        if (start === undefined) return undefined;
        expect(request.headers['if-match']).toBe(`"${etag}"`);
        starts.push(start);
        // The first range comes after the third one has been asked for.
        if (start === 2 * RANGE_BYTES) release();
        return start === 0 ? second : undefined;
      };
      expect(await stage.created('f')).toEqual({ outcome: 'written', bytes: SIZE });
      expect(readFileSync(stage.path('in/f')).equals(content)).toBe(true);
      expect(new Set(starts).size).toBe(Math.ceil(SIZE / RANGE_BYTES));
      expect(stage.state.partial(stage.bucket, 'f')).toBeUndefined();
      expect(await stage.created('f')).toEqual({ outcome: 'unchanged' });
    });

    it('goes on where another process stopped, and checks the whole file', async () => {
      const stage = await ActionStage.start(server);
      const content = contentOf(2);
      await stage.put('f', content);
      await stopAfter(stage, 6);
      expect(existsSync(stage.path('in/f'))).toBe(false);
      expect(readdirSync(stage.path('in/.isync/staging/parts'))).toHaveLength(1);
      await stage.open();
      const starts: number[] = [];
      stage.front.before = (request) => void starts.push(rangeStart(request) ?? -1);
      expect(await stage.created('f')).toEqual({ outcome: 'written', bytes: SIZE });
      expect(readFileSync(stage.path('in/f')).equals(content)).toBe(true);
      expect(starts.filter((start) => start >= 0).toSorted((a, b) => a - b)[0]).toBeGreaterThan(0);
    });

    it('begins anew where another version has come between', async () => {
      const stage = await ActionStage.start(server);
      await stage.put('f', contentOf(3));
      await stopAfter(stage, 6);
      const content = contentOf(4);
      await stage.put('f', content);
      await stage.open();
      expect(await stage.created('f')).toEqual({ outcome: 'written', bytes: SIZE });
      expect(readFileSync(stage.path('in/f')).equals(content)).toBe(true);
    });

    it('is the new version where it is replaced while it is read, and gone where it is removed', async () => {
      const stage = await ActionStage.start(server);
      await stage.put('f', contentOf(5));
      const content = contentOf(6);
      let isReplaced = false;
      stage.front.before = async (request) => {
        if (rangeStart(request) !== 3 * RANGE_BYTES || isReplaced) return;
        isReplaced = true;
        await stage.put('f', content);
      };
      expect(await stage.created('f')).toEqual({ outcome: 'written', bytes: SIZE });
      expect(readFileSync(stage.path('in/f')).equals(content)).toBe(true);
      await stage.put('f', contentOf(7));
      stage.front.before = async (request) => {
        if (rangeStart(request) === 3 * RANGE_BYTES) await stage.delete('f');
      };
      expect(await stage.removed('f')).toEqual({ outcome: 'removed' });
      expect(stage.files()).toEqual([]);
      expect(stage.state.partial(stage.bucket, 'f')).toBeUndefined();
    });

    it('of which staged bytes were damaged is noticed, and begun anew', async () => {
      const stage = await ActionStage.start(server);
      const content = contentOf(8);
      await stage.put('f', content);
      await stopAfter(stage, 6);
      const [part] = readdirSync(stage.path('in/.isync/staging/parts'));
      const path = stage.path('in/.isync/staging/parts', part!);
      const bytes = readFileSync(path);
      bytes[1000]! ^= 1;
      writeFileSync(path, bytes);
      await stage.open();
      await expect(stage.created('f')).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
      expect(existsSync(stage.path('in/f'))).toBe(false);
      expect(await stage.created('f')).toEqual({ outcome: 'written', bytes: SIZE });
      expect(readFileSync(stage.path('in/f')).equals(content)).toBe(true);
    });

    it('of many parts is checked against the checksum that it has of all its bytes', async () => {
      const stage = await ActionStage.start(server);
      const content = contentOf(10);
      await stage.putParts('f', [content]);
      const sha256 = createHash('sha256').update(content).digest('base64');
      const wrong = `${sha256.startsWith('A') ? 'B' : 'A'}${sha256.slice(1)}`;
      for (const [value, outcome] of [
        [wrong, 'DIGEST_MISMATCH'],
        [sha256, 'written'],
      ] as const) {
        stage.front.moreHeaders = (request) =>
          rangeStart(request) === undefined ? { 'x-amz-checksum-sha256': value } : undefined;
        const result = await stage.created('f').then(
          (each) => each.outcome,
          (error: IsyncError) => error.code,
        );
        expect(result).toBe(outcome);
      }
      expect(readFileSync(stage.path('in/f')).equals(content)).toBe(true);
    });

    it('is kept as far as it came where an answer is cut', async () => {
      const stage = await ActionStage.start(server);
      const content = contentOf(9);
      await stage.put('f', content);
      stage.front.cutBody = (request) => (rangeStart(request) === 4 * RANGE_BYTES ? 100_000 : undefined);
      await expect(stage.created('f')).rejects.toMatchObject({ code: 'UNREACHABLE', retryable: true });
      stage.front.cutBody = undefined;
      const starts: number[] = [];
      stage.front.before = (request) => void starts.push(rangeStart(request) ?? -1);
      expect(await stage.created('f')).toEqual({ outcome: 'written', bytes: SIZE });
      expect(starts).not.toContain(0);
      expect(readFileSync(stage.path('in/f')).equals(content)).toBe(true);
    });
  });
});

/** Ends a download once the range with this number is asked for, and closes all. */
async function stopAfter(stage: ActionStage, range: number): Promise<void> {
  const stop = new AbortController();
  const reason = new Error('stopped');
  stage.front.before = (request) => {
    if (rangeStart(request) !== range * RANGE_BYTES) return undefined;
    stop.abort(reason);
    return undefined;
  };
  await expect(stage.created('f', { signal: stop.signal })).rejects.toBe(reason);
  stage.front.before = undefined;
  await stage.close();
}
