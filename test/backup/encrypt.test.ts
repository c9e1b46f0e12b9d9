import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { assert, asyncProperty, integer, nat } from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { lacks } from '../../harness/tools.ts';
import { createDecryption } from '../../src/backup/encrypt/create-decryption.ts';
import { createEncryption } from '../../src/backup/encrypt/create-encryption.ts';
import type { Sealer } from '../../src/backup/pack/pack.ts';
import type { ByteRanges } from '../../src/backup/pack/byte-ranges.ts';

const CHUNK = 64 * 1024;
const SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 5 * CHUNK + 77];
const identity = await generateIdentity();
const other = await generateIdentity();
const recipient = await identityToRecipient(identity);
const encryption = createEncryption([await identityToRecipient(other), recipient]);
const decryption = createDecryption(`# created: today\n${identity}\n`);
const folder = mkdtempSync(join(tmpdir(), 'isync-age-'));
afterAll(() => rmSync(folder, { recursive: true }));
const keyFile = join(folder, 'key');
writeFileSync(keyFile, `${identity}\n`, { mode: 0o600 });

function sealed(sealer: Sealer, content: Buffer, step = 50_000): Buffer {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < content.length; at += step) pieces.push(sealer.seal(content.subarray(at, at + step)));
  return Buffer.concat([...pieces, sealer.end()]);
}

async function sealedAnew(content: Buffer): Promise<Buffer> {
  return sealed(encryption.sealer(await encryption.begin()), content);
}

function rangesOf(bytes: Buffer): ByteRanges & { fetched: number } {
  return {
    size: bytes.length,
    fetched: 0,
    async *read(start, end) {
      for (let at = start; at < end; at += 10_000) {
        const piece = bytes.subarray(at, Math.min(end, at + 10_000));
        this.fetched += piece.length;
        yield piece;
      }
    },
  };
}

async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(Uint8Array.from(piece));
  return Buffer.concat(pieces);
}

async function opened(bytes: Buffer): Promise<Buffer> {
  const ranges = await decryption.open(rangesOf(bytes));
  return await collect(ranges.read(0, ranges.size));
}

describe('an encrypted object', () => {
  it.each(SIZES)('of %d bytes opens with the private key', async (size) => {
    const content = randomBytes(size);
    expect((await opened(await sealedAnew(content))).equals(content)).toBe(true);
  });

  it.skipIf(lacks('age')).each(SIZES)('of %d bytes is what age -d reads', async (size) => {
    const content = randomBytes(size);
    const input = await sealedAnew(content);
    const found = execFileSync('age', ['-d', '-i', keyFile], { input, maxBuffer: 2 ** 24 });
    expect(found.equals(content)).toBe(true);
  });

  it.skipIf(lacks('age')).each(SIZES)('of %d bytes that age has made opens', async (size) => {
    const input = randomBytes(size);
    const made = execFileSync('age', ['-e', '-r', recipient], { input, maxBuffer: 2 ** 24 });
    expect((await opened(made)).equals(input)).toBe(true);
  });

  it('is the same for the same secrets, however its bytes come, and another for others', async () => {
    const secrets = await encryption.begin();
    const content = randomBytes(3 * CHUNK);
    const once = sealed(encryption.sealer(secrets), content, content.length);
    expect(sealed(encryption.sealer(secrets), content, 999).equals(once)).toBe(true);
    expect((await sealedAnew(content)).equals(once)).toBe(false);
  });

  it('gives any range, for little more than its bytes', async () => {
    const content = randomBytes(5 * CHUNK + 77);
    const bytes = rangesOf(await sealedAnew(content));
    const ranges = await decryption.open(bytes);
    expect(ranges.size).toBe(content.length);
    const position = nat(content.length);
    await assert(
      asyncProperty(position, position, async (one, two) => {
        const [start, end] = [Math.min(one, two), Math.max(one, two)];
        bytes.fetched = 0;
        const found = await collect(ranges.read(start, end));
        expect(found.equals(content.subarray(start, end))).toBe(true);
        expect(bytes.fetched).toBeLessThanOrEqual(end - start + 2 * (CHUNK + 16) + 10_000);
      }),
      { numRuns: 50 },
    );
  });

  it('is refused where a byte of it differs, or some are missing', async () => {
    const whole = await sealedAnew(randomBytes(2 * CHUNK + 5));
    const refused = { code: 'DIGEST_MISMATCH' };
    await assert(
      asyncProperty(nat(whole.length - 1), integer({ min: 1, max: 255 }), async (at, bits) => {
        const bytes = Buffer.from(whole);
        bytes[at]! ^= bits;
        // In a stanza, the change may also make it one of nobody.
        await expect(opened(bytes)).rejects.toMatchObject({
          code: expect.stringMatching(/^(DIGEST_MISMATCH|KEY_MISSING)$/),
        });
      }),
      { numRuns: 100 },
    );
    await assert(
      asyncProperty(nat(whole.length - 1), async (length) => {
        await expect(opened(whole.subarray(0, length))).rejects.toMatchObject(refused);
      }),
      { numRuns: 50 },
    );
    // Cut between two chunks: the one before is no last one.
    for (const cut of [5 + 16, 5 + 16 + CHUNK + 16])
      await expect(opened(whole.subarray(0, whole.length - cut))).rejects.toMatchObject(refused);
  });

  it('says that no key opens it', async () => {
    const stranger = createDecryption(await generateIdentity());
    const bytes = rangesOf(await sealedAnew(randomBytes(10)));
    await expect(stranger.open(bytes)).rejects.toMatchObject({ code: 'KEY_MISSING' });
  });
});

function refusalOf(act: () => unknown): Error | undefined {
  try {
    act();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  return undefined;
}

describe('keys', () => {
  it('that are none are refused, and no secret is told', async () => {
    expect(() => createEncryption([])).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(() => createEncryption([recipient, `${recipient}x`])).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
    expect(() => createDecryption('# nothing\n')).toThrow(expect.objectContaining({ code: 'KEY_MISSING' }));
    const wrong = `${identity.slice(0, -1)}?`;
    const refusal = refusalOf(() => createDecryption(wrong));
    expect(refusal).toMatchObject({ code: 'KEY_MISSING' });
    const told = `${String(refusal)} ${String(refusal?.cause)}`;
    expect(told).not.toContain(identity.slice(20, 30));
  });
});
