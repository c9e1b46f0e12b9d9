import { execFileSync } from 'node:child_process';
import { createCipheriv, createHash, randomBytes, scryptSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A repository of restic with nothing but snapshots, written here: restic itself takes a second for each. As
 * https://restic.readthedocs.io/en/stable/100_references.html says, format 1.
 */
export class ResticRepository {
  readonly #folder: string;
  readonly #master = newKey(randomBytes(64));

  constructor(folder: string) {
    this.#folder = folder;
    for (const name of ['data', 'index', 'keys', 'locks', 'snapshots'])
      mkdirSync(join(folder, name), { recursive: true });
    const salt = randomBytes(64);
    // The cheapest there is: it protects nothing.
    const [N, r, p] = [2, 1, 1];
    const user = newKey(scryptSync(PASSWORD, salt, 64, { N, r, p }));
    const data = seal(user, this.#master.json);
    const file = {
      created: new Date(),
      username: '',
      hostname: '',
      kdf: 'scrypt',
      N,
      r,
      p,
      salt: salt.toString('base64'),
      data: data.toString('base64'),
    };
    this.#write('keys', Buffer.from(JSON.stringify(file)));
    // The polynomial of the design document.
    const config = { version: 1, id: randomBytes(32).toString('hex'), chunker_polynomial: '25b468838dcb75' };
    writeFileSync(join(folder, 'config'), seal(this.#master, JSON.stringify(config)));
  }

  /** Adds a snapshot of that time; resolves to its id. */
  add(timeMs: number): string {
    const snapshot = {
      time: new Date(timeMs).toISOString(),
      tree: '0'.repeat(64),
      paths: ['/a'],
      hostname: 'a',
    };
    return this.#write('snapshots', seal(this.#master, JSON.stringify(snapshot)));
  }

  /** Asks `restic forget` what it would keep. */
  kept(options: readonly string[]): string[] {
    const args = ['forget', '--dry-run', '--json', '--no-lock', '--no-cache', '--group-by', '', ...options];
    const out = execFileSync('restic', ['-r', this.#folder, ...args], {
      env: { PATH: process.env['PATH'], RESTIC_PASSWORD: PASSWORD },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const groups = JSON.parse(out) as { readonly keep: readonly { readonly id: string }[] | null }[];
    return groups.flatMap(({ keep }) => (keep ?? []).map(({ id }) => id));
  }

  #write(folder: string, bytes: Buffer): string {
    const id = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(this.#folder, folder, id), bytes);
    return id;
  }
}

/** Major and minor version of the restic that is installed. */
export function resticVersion(): readonly [major: number, minor: number] {
  const [, major, minor] =
    /^restic (\d+)\.(\d+)/.exec(execFileSync('restic', ['version'], { encoding: 'utf8' })) ?? [];
  return [Number(major), Number(minor)];
}

const PASSWORD = 'a';

interface Key {
  readonly encrypt: Buffer;
  readonly k: Buffer;
  readonly r: Buffer;
  readonly json: string;
}

function newKey(bytes: Buffer): Key {
  const [encrypt, k, r] = [bytes.subarray(0, 32), bytes.subarray(32, 48), bytes.subarray(48, 64)];
  const base64 = (part: Buffer): string => part.toString('base64');
  const json = JSON.stringify({ mac: { k: base64(k), r: base64(r) }, encrypt: base64(encrypt) });
  return { encrypt, k, r, json };
}

function seal({ encrypt, k, r }: Key, text: string): Buffer {
  const iv = randomBytes(16);
  const sealed = createCipheriv('aes-256-ctr', encrypt, iv).update(text);
  const s = createCipheriv('aes-128-ecb', k, null).setAutoPadding(false).update(iv);
  return Buffer.concat([iv, sealed, poly1305(r, s, sealed)]);
}

/** RFC 8439, section 2.5. */
function poly1305(r: Buffer, s: Buffer, message: Buffer): Buffer {
  const number = (bytes: Uint8Array): bigint =>
    bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  const clamped = number(r) & 0x0ffffffc0ffffffc0ffffffc0fffffffn;
  const prime = (1n << 130n) - 5n;
  let sum = 0n;
  for (let at = 0; at < message.length; at += 16) {
    const block = message.subarray(at, at + 16);
    sum = ((sum + number(block) + (1n << BigInt(8 * block.length))) * clamped) % prime;
  }
  const tag = Buffer.from(((sum + number(s)) % (1n << 128n)).toString(16).padStart(32, '0'), 'hex');
  return tag.reverse();
}
