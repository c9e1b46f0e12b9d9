import { createHash, randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { TargetPart, TargetUpload } from '../../src/backup/target/target.ts';
import { dropArchive } from '../../src/backup/upload/drop-archive.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { archiveOf, KEY, packOf, PART_BYTES, SECRETS } from './archive.ts';
import { MemoryTarget } from './memory-target.ts';
import { UploadStage } from './upload-stage.ts';

/** What ends a run: each target fails, or the whole run is interrupted, from so many of its calls on. */
const interruption = fc.record({
  calls: fc.tuple(fc.nat(16), fc.nat(16)),
  how: fc.constantFrom('expired', 'interrupted', 'cut'),
  /** Whether the sources have changed before the next run. */
  isChanged: fc.boolean(),
});

/** Keeps digests of all that was ever sent as a part, by the secrets of its archive and its number. */
class Observed extends MemoryTarget {
  readonly sent: Map<string, Set<string>>;
  secrets = '';

  constructor(name: string, sent: Map<string, Set<string>>) {
    super({ name });
    this.sent = sent;
  }

  override async putPart(upload: TargetUpload, part: TargetPart): Promise<string> {
    const of = `${this.secrets} ${part.number}`;
    const digest = createHash('sha256').update(part.bytes).digest('hex');
    this.sent.set(of, (this.sent.get(of) ?? new Set()).add(digest));
    return await super.putPart(upload, part);
  }
}

/** Runs of one archive, packed of what the sources are at the time. */
class History {
  readonly sent = new Map<string, Set<string>>();
  readonly targets = [new Observed('a', this.sent), new Observed('b', this.sent)] as const;
  readonly #stage: UploadStage;
  #secrets: typeof SECRETS | undefined;
  #turn = 0;
  #bytes = randomBytes(7 * PART_BYTES + 3);

  constructor(stage: UploadStage, isEncrypted: boolean) {
    this.#stage = stage;
    this.#secrets = isEncrypted ? SECRETS : undefined;
    this.#begin();
  }

  change(): void {
    this.#bytes = Buffer.from(this.#bytes);
    this.#bytes[Math.floor(Math.random() * this.#bytes.length)]! ^= 1;
  }

  /** Goes on with the archive, or begins it anew where that has changed. */
  async run(signal = new AbortController().signal): Promise<void> {
    const { state, stateDir, log } = this.#stage;
    const nonce = this.#secrets?.nonce ?? Buffer.alloc(0);
    for (const target of this.targets) target.secrets = Buffer.from(nonce).toString('hex');
    try {
      await this.#stage.run(this.targets, this.#bytes, { spoolBytes: 4 * PART_BYTES, signal });
    } catch (error) {
      if (!(error instanceof IsyncError) || error.code !== 'FILE_CHANGED') throw error;
      await dropArchive({ version: 3, targets: this.targets, state, stateDir, log });
      for (const { objects } of this.targets) objects.delete(KEY);
      this.#turn += 1;
      this.#secrets &&= { ...SECRETS, nonce: Buffer.alloc(16, this.#turn + 10) };
      this.#begin();
    }
  }

  outcomes(): (string | undefined)[] {
    return this.targets.map(({ name }) => this.#stage.state.targets.upload(name, 3)?.outcome);
  }

  #begin(): void {
    this.#stage.state.packs.begin(packOf(this.targets, { secrets: this.#secrets }));
  }
}

it.each([{ isEncrypted: true }, { isEncrypted: false }])(
  'whatever happens, an archive is whole at last (encrypted: $isEncrypted)',
  async ({ isEncrypted }) => {
    await fc.assert(
      fc.asyncProperty(fc.array(interruption, { maxLength: 5 }), async (interruptions) => {
        const stage = await UploadStage.start([]);
        const history = new History(stage, isEncrypted);
        const { targets, sent } = history;
        for (const { calls, how, isChanged } of interruptions) {
          const stop = new AbortController();
          for (const [at, target] of targets.entries()) {
            let left = calls[at]!;
            target.before = () => {
              if (left-- > 0) return;
              if (how !== 'expired') stop.abort(new Error('interrupted'));
              if (how !== 'interrupted')
                throw new IsyncError('STORE_REFUSED', 'expired', { retryable: true });
            };
          }
          await history.run(stop.signal).catch(() => undefined);
          if (isChanged) history.change();
        }
        for (const target of targets) target.before = () => undefined;
        // One may find that the archive has changed.
        await history.run();
        if (history.outcomes().every((outcome) => outcome === undefined)) await history.run();
        const { packed } = stage.pack;
        const found = history.outcomes().map((outcome, at) => {
          const object = targets[at]!.objects.get(KEY);
          return { outcome, archive: object && archiveOf(object.bytes) };
        });
        // One that had to be given up for the other's sake has no archive, and says so.
        for (const each of found)
          expect([
            { outcome: 'complete', archive: packed },
            { outcome: 'failed', archive: undefined },
          ]).toContainEqual(each);
        expect(found.map(({ outcome }) => outcome)).toContain('complete');
        expect(await stage.spooled()).toBeUndefined();
        const versions = Math.max(...[...sent.values()].map(({ size }) => size));
        expect(isEncrypted ? versions : 1).toBe(1);
      }),
      { numRuns: 40 },
    );
  },
);
