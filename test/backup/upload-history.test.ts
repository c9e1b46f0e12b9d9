import { createHash, randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TargetPart, TargetUpload } from '../../src/backup/target/target.ts';
import { dropArchive } from '../../src/backup/upload/drop-archive.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { archiveOf, KEY, packOf, PART_BYTES, SECRETS } from './archive.ts';
import { MemoryTarget } from './memory-target.ts';
import { UploadStage } from './upload-stage.ts';

const expired = () => new IsyncError('STORE_REFUSED', 'expired', { retryable: true });

/** Keeps what was ever sent as a part, by number. */
class Observed extends MemoryTarget {
  readonly sent = new Map<string, Set<string>>();
  secrets = '';

  override async putPart(upload: TargetUpload, part: TargetPart): Promise<string> {
    const of = `${this.secrets} ${part.number}`;
    const digest = createHash('sha256').update(part.bytes).digest('hex');
    this.sent.set(of, (this.sent.get(of) ?? new Set()).add(digest));
    return await super.putPart(upload, part);
  }
}

describe('whatever happens', () => {
  it('an encrypted archive is whole at last, and under its secrets no part was ever another one', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({ calls: fc.integer({ min: 0, max: 14 }), changes: fc.boolean(), how: fc.nat(2) }),
          {
            maxLength: 5,
          },
        ),
        async (interruptions) => {
          const target = new Observed();
          const stage = await UploadStage.start([target], { secrets: SECRETS });
          let bytes = randomBytes(7 * PART_BYTES + 3);
          let turn = 0;
          let secrets = SECRETS;
          const attempt = async (signal?: AbortSignal): Promise<void> => {
            target.secrets = Buffer.from(secrets.nonce).toString('hex');
            try {
              const settings = { spoolBytes: 3 * PART_BYTES, ...(signal && { signal }) };
              await stage.run([target], bytes, settings);
            } catch (error) {
              if (!(error instanceof IsyncError) || error.code !== 'FILE_CHANGED') throw error;
              const { stateDir, state, log } = stage;
              await dropArchive({ version: 3, targets: [target], state, stateDir, log });
              secrets = { ...secrets, nonce: Buffer.alloc(16, ++turn + 10) };
              state.packs.begin(packOf([target], { secrets }));
            }
          };
          for (const { calls, changes, how } of interruptions) {
            let left = calls;
            const stop = new AbortController();
            target.before = () => {
              if (left-- > 0) return;
              if (how > 0) stop.abort(new Error('interrupted'));
              if (how !== 1) throw expired();
            };
            await attempt(stop.signal).catch(() => undefined);
            if (!changes) continue;
            bytes = Buffer.from(bytes);
            bytes[randomBytes(1)[0]! % bytes.length]! ^= 1;
          }
          target.before = () => undefined;
          await attempt();
          if (stage.state.targets.upload('memory', 3)?.outcome !== 'complete') await attempt();
          expect(stage.state.targets.upload('memory', 3)?.outcome).toBe('complete');
          const made = target.objects.get(KEY)!;
          expect(archiveOf(made.bytes)).toEqual(stage.pack.packed);
          for (const digests of target.sent.values()) expect(digests.size).toBe(1);
        },
      ),
      { numRuns: 40 },
    );
  });
});
