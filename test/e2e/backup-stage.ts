import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { runCli } from '../../harness/cli.ts';
import type { Ended } from '../../harness/process.ts';
import { createEncryption } from '../../src/backup/encrypt/create-encryption.ts';
import type { Encryption } from '../../src/backup/encrypt/encryption.ts';
import type { Compression } from '../../src/backup/job.ts';
import { openFolderTarget } from '../../src/backup/target/folder/folder-target.ts';
import { type MadeBackup, makeBackup, membersOf } from '../backup/made-backup.ts';

/** A job "app" with one folder of files, stores that are folders, and what its commands print. */
export class BackupStage implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'isync-backup-'));
  readonly source = join(this.root, 'src');
  readonly identity: string;
  readonly #encryption: Encryption;
  #base: MadeBackup | undefined;
  #version = 0;

  private constructor(identity: string, encryption: Encryption) {
    this.identity = identity;
    this.#encryption = encryption;
    for (const name of ['src', 'one', 'two']) mkdirSync(join(this.root, name));
    writeFileSync(join(this.root, 'key.txt'), `${identity}\n`, { mode: 0o600 });
  }

  static async start(): Promise<BackupStage> {
    const identity = await generateIdentity();
    return new BackupStage(identity, createEncryption([await identityToRecipient(identity)]));
  }

  /** Writes the config file; `more` is of the job. */
  configure(more: object = {}, file = 'backup.yaml'): void {
    const job = {
      name: 'app',
      sources: [this.source],
      to: [join(this.root, 'one')],
      timezone: 'Asia/Shanghai',
      stateDir: join(this.root, `state-${file}`),
      ...more,
    };
    // JSON is YAML.
    writeFileSync(join(this.root, file), JSON.stringify({ jobs: [job] }));
  }

  /** Makes a backup of the folder as it is now, in the store of that name; on the one before, or a full one. */
  async make(given: {
    readonly type: 'full' | 'incremental';
    readonly store?: string;
    readonly compress?: Compression;
    readonly isEncrypted?: boolean;
    readonly version?: number;
    readonly startedMs?: number;
    readonly tags?: Record<string, string>;
  }): Promise<MadeBackup> {
    const { type, store = 'one', compress = 'zstd', isEncrypted = false, startedMs, tags } = given;
    this.#version = given.version ?? this.#version + 1;
    await using target = openFolderTarget({ path: join(this.root, store), job: 'app' });
    const made = await makeBackup({
      target,
      members: await membersOf(this.source),
      version: this.#version,
      compress,
      encryption: isEncrypted ? this.#encryption : undefined,
      ...(type === 'incremental' && this.#base !== undefined && { base: this.#base }),
      change: { ...(startedMs !== undefined && { startedMs }), ...(tags !== undefined && { tags }) },
    });
    this.#base = made;
    return made;
  }

  async run(words: readonly string[], config = 'backup.yaml'): Promise<Ended> {
    return await runCli(['backup', ...words, '--config', join(this.root, config), '--log-level', 'warn']);
  }

  /** With --json: what it prints. */
  async asked<T>(words: readonly string[], config?: string): Promise<T> {
    const { stdout, stderr } = await this.run([...words, '--json'], config);
    if (stdout === '') throw new Error(stderr);
    return JSON.parse(stdout) as T;
  }

  at(...names: readonly string[]): string {
    return join(this.root, ...names);
  }

  /** What rsync would change to make what was restored into a folder what the source is. */
  differences(to: string): string {
    const restored = join(to, this.source);
    return execFileSync('rsync', ['-anicH', '--delete', `${this.source}/`, `${restored}/`], {
      encoding: 'utf8',
    });
  }

  [Symbol.dispose](): void {
    execFileSync('chmod', ['-R', 'u+rwx', this.root]);
    rmSync(this.root, { recursive: true });
  }
}
