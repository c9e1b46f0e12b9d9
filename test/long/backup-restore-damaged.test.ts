import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { readCatalogue } from '../../src/backup/catalogue/catalogue.ts';
import { createDecryption } from '../../src/backup/encrypt/create-decryption.ts';
import { createEncryption } from '../../src/backup/encrypt/create-encryption.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { RecordingLog } from '../recording-log.ts';
import { makeBackup, type Member } from '../backup/made-backup.ts';
import { MemoryTarget } from '../backup/memory-target.ts';
import { contextOf, file, newFolder, restored } from '../backup/restoring.ts';

const identity = await generateIdentity();
const decryption = createDecryption(identity);
const MEMBERS: readonly Member[] = [
  ...Array.from({ length: 30 }, (_, at) => file(`d/f${at}`, `${at} `.repeat(at * 50))),
  { path: 'd', type: 'directory' },
  { path: 'l', type: 'symlink', target: 'd' },
  { ...file('m', '7 '.repeat(7 * 50)), linkTo: 'd/f7' },
];
const contents = new Map(MEMBERS.map(({ path, content }) => [path, content]));

/** What is done to an object: bytes that are changed, a part that is cut out, or some that are put in. */
const damage = fc.record({
  what: fc.constantFrom('', '.files', '.manifest'),
  /** In millionths of its length: anywhere, not rather at the ends. */
  at: fc.noBias(fc.nat({ max: 999_999 })),
  /** Undefined: as many as are put in, for another length is noticed before anything is read. */
  removed: fc.option(fc.nat({ max: 2000 }), { nil: undefined, freq: 3 }),
  added: fc.uint8Array({ minLength: 1, maxLength: 40 }),
});

describe.each([
  ['zstd', false],
  ['gzip', false],
  ['none', false],
  ['zstd', true],
] as const)('a backup of %s (encrypted: %s) that is damaged anywhere', (compress, isEncrypted) => {
  const sound = new MemoryTarget();
  beforeAll(async () => {
    const encryption = isEncrypted ? createEncryption([await identityToRecipient(identity)]) : undefined;
    await makeBackup({ target: sound, members: MEMBERS, compress, encryption });
  });

  it('gives right files or none, and nothing outside', async () => {
    const above = newFolder();
    let number = 0;
    let right = 0;
    await fc.assert(
      fc.asyncProperty(damage, async ({ what, at, removed, added }) => {
        const target = new MemoryTarget();
        for (const [key, { bytes }] of sound.objects) {
          const isHit = key.endsWith(what === '' ? archiveEnding(key) : what);
          const from = Math.floor((at / 1_000_000) * bytes.length);
          const parts = [bytes.subarray(0, from), added, bytes.subarray(from + (removed ?? added.length))];
          await target.put(key, isHit ? Buffer.concat(parts) : bytes);
        }
        const folder = join(above, String(number++));
        mkdirSync(folder);
        const { backups } = await readCatalogue(target, { log: new RecordingLog() });
        for (const { manifest } of backups) {
          const to = join(folder, 'to');
          const context = contextOf(target, { decryption });
          const given = { manifest, records: [] };
          const failure = await restored(target, given, to, { context }).then(
            () => undefined,
            (error: unknown) => error,
          );
          expect(failure === undefined || failure instanceof IsyncError).toBe(true);
          const there = [...contents].filter(([path]) => existsSync(join(to, path)));
          const wrong = there.filter(
            ([path, content]) => content !== undefined && !readFileSync(join(to, path)).equals(content),
          );
          expect(wrong.map(([path]) => path)).toEqual([]);
          right += there.length;
        }
        expect(readdirSync(folder).filter((name) => name !== 'to')).toEqual([]);
      }),
      { numRuns: 60 },
    );
    // Damage of one frame, of a list or a manifest leaves nothing; where it hits what no file is in, all is there.
    expect(right).toBeGreaterThan(0);
  });
});

/** Of the archive alone: those of lists and manifests go on behind it. */
function archiveEnding(key: string): string {
  return key.endsWith('.files') || key.endsWith('.manifest') ? '\0' : key;
}
