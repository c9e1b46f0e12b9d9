import { describe, expect, it } from 'vitest';
import { attempting } from '../../src/backup/upload/attempts.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { RecordingLog } from '../recording-log.ts';
import { MemoryTarget } from './memory-target.ts';

describe('a call of a target', () => {
  it('is made again after what passes, with a warning each time', async () => {
    const target = new MemoryTarget();
    const failures = [new IsyncError('UNREACHABLE', 'one'), new IsyncError('BUSY', 'two')];
    target.before = () => {
      const next = failures.shift();
      if (next !== undefined) throw next;
    };
    const log = new RecordingLog();
    const retried: string[] = [];
    const options = { log, onRetry: ({ code }: IsyncError) => retried.push(code) };
    await attempting('put a', () => target.put('a', Buffer.from('one')), options);
    expect(target.calls).toEqual(['put a', 'put a', 'put a']);
    expect(retried).toEqual(['UNREACHABLE', 'BUSY']);
    expect(log.at('warn').map(({ fields }) => [fields['what'], fields['tries']])).toEqual([
      ['put a', 1],
      ['put a', 2],
    ]);
  });

  it.each(['STORE_REFUSED', 'STORE_MISSING', 'STORE_FULL', 'MISSING', 'FILE_CHANGED'] as const)(
    'is not made again after %s, also where files would wait for it',
    async (code) => {
      const isMended = code !== 'MISSING';
      let tries = 0;
      const failing = async () => {
        tries += 1;
        throw new IsyncError(code, 'no', isMended ? { retryable: true } : {});
      };
      const log = new RecordingLog();
      await expect(attempting('put a', failing, { log })).rejects.toMatchObject({ code });
      expect(tries).toBe(1);
      expect(log.lines).toEqual([]);
    },
  );

  it('is made once more by the time of the server', async () => {
    let tries = 0;
    const failing = async () => {
      tries += 1;
      throw new IsyncError('CLOCK_SKEW', 'no', { retryable: true });
    };
    const log = new RecordingLog();
    await expect(attempting('put a', failing, { log })).rejects.toMatchObject({ code: 'CLOCK_SKEW' });
    expect(tries).toBe(2);
    expect(log.at('warn')).toHaveLength(1);
  });

  it('ends with the last error when it has failed for too long, and with its signal', async () => {
    const log = new RecordingLog();
    const failing = async () => {
      throw new IsyncError('UNREACHABLE', 'no');
    };
    await expect(attempting('list', failing, { log, giveUpAfterMs: 1 })).rejects.toMatchObject({
      code: 'UNREACHABLE',
    });
    const given = new AbortController();
    const onRetry = () => given.abort(new Error('enough'));
    await expect(attempting('list', failing, { log, onRetry, signal: given.signal })).rejects.toThrow(
      'enough',
    );
  });
});
