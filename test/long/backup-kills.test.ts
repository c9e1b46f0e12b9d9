import { randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { expect, it } from 'vitest';
import { runCli, startCli } from '../../harness/cli.ts';
import { Random } from '../../harness/random.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import type { Ended } from '../../harness/process.ts';
import { type Catalogue, readCatalogue } from '../../src/backup/catalogue/catalogue.ts';
import { jobsOf } from '../../src/backup/jobs-of-config.ts';
import { pruneJob } from '../../src/backup/prune/prune-job.ts';
import { openJobState } from '../../src/backup/state/open-state.ts';
import { openTarget } from '../../src/backup/target/open-target.ts';
import type { BackupTarget } from '../../src/backup/target/target.ts';
import { readConfigFile } from '../../src/config/parse-config-file.ts';
import { readConfig } from '../../src/config/read-config.ts';
import { backupSchema } from '../../src/config/schemas/backup.ts';
import { RecordingLog } from '../recording-log.ts';

/** Processes that are killed, at each kind of store. */
const KILLS = Number(process.env['ISYNC_TEST_BACKUP_KILLS'] ?? 10);
const SEED = Number(process.env['ISYNC_TEST_SEED'] ?? 20_261_126);
/** Backups that the rule keeps. */
const KEPT = 3;
/** After this many kills all that is listed is restored. */
const CHECK_EACH = 5;
/** Of a test, in ms: a machine four times slower than ours needs this much for each kill. */
const PATIENCE_MS = Math.max(600_000, KILLS * 30_000);
const TWO_DAYS_MS = 49 * 3_600_000;

/** Backs up a folder that changes between runs, and kills what does it. */
class Stage implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'isync-kills-'));
  readonly random: Random;
  readonly target: BackupTarget;
  readonly #env: Readonly<Record<string, string>>;
  /** Copies of the source as it has been in some run. */
  #copies = 0;
  /** Versions that were ever listed. */
  readonly #seen = new Set<number>();
  kills = 0;
  /** What must not be. */
  readonly faults: string[] = [];

  constructor(to: (stage: Stage) => object | string, more: object, seed: number, env = {}) {
    this.random = new Random(seed);
    this.#env = env;
    for (const name of ['source', 'store', 'copies', 'back']) mkdirSync(this.at(name));
    const job = {
      name: 'app',
      sources: [this.at('source')],
      to: [to(this)],
      full: '1000d',
      keep: { last: KEPT },
      spool: { max: '64MiB' },
      ...more,
    };
    writeFileSync(this.at('backup.yaml'), JSON.stringify({ jobs: [job] }));
    for (let number = 0; number < 40; number++) this.write(number);
    this.copy();
    const [only] = jobsOf(this.config());
    this.target = openTarget(only!.to[0]!, 'app');
  }

  at(...names: readonly string[]): string {
    return join(this.folder, ...names);
  }

  get stateDir(): string {
    return this.at('backup.yaml.state', 'app');
  }

  config() {
    const settings = {
      section: 'backup',
      ownFile: true,
      sections: ['backup'],
      places: [],
      secrets: [],
      names: [],
    };
    return readConfig(backupSchema, settings, {
      flags: { config: this.at('backup.yaml') },
      environment: this.#env,
      readFile: readConfigFile,
    });
  }

  write(number: number): void {
    const large = number % 10 === 0;
    const path = this.at('source', `d${number % 7}`, `file-${number}`);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(
      path,
      randomBytes(large ? 3_000_000 + this.random.below(6_000_000) : this.random.below(40_000)),
    );
  }

  change(): void {
    for (let times = this.random.int(1, 5); times > 0; times--) this.write(this.random.below(60));
    if (this.random.chance(0.3))
      rmSync(this.at('source', 'd3', `file-${3 + 7 * this.random.below(6)}`), { force: true });
    this.copy();
  }

  copy(): void {
    execFileSync('cp', [
      '-a',
      '--reflink=auto',
      this.at('source'),
      this.at('copies', String(this.#copies++)),
    ]);
  }

  args(command: string, ...args: readonly string[]): string[] {
    return ['backup', command, ...args, '--config', this.at('backup.yaml'), '--json', '--log-level', 'warn'];
  }

  /** Runs a command to its end, which must be a good one. */
  async command(...args: Parameters<Stage['args']>): Promise<void> {
    this.#ended(args, await runCli(this.args(...args), { env: this.#env }));
  }

  #ended(args: readonly string[], { exitCode, stdout, stderr }: Ended): void {
    if (exitCode !== 0) this.faults.push(`${args.join(' ')} ended with ${exitCode}: ${stdout}${stderr}`);
  }

  /** Starts a command, and kills it after a while. Whether it was alive by then. */
  async killed(withinMs: number, ...args: Parameters<Stage['args']>): Promise<boolean> {
    await using cli = startCli(this.args(...args), { env: this.#env });
    await Promise.race([cli.ended, setTimeout(this.random.below(withinMs))]);
    if (cli.over) {
      this.#ended(args, await cli.ended);
      return false;
    }
    await cli.stop('SIGKILL');
    this.kills++;
    return true;
  }

  async catalogue(): Promise<Catalogue> {
    const { signal } = new AbortController();
    return await readCatalogue(this.target, { log: new RecordingLog(), signal });
  }

  /** Nothing that the rule keeps is gone, and all that is there is whole. */
  async look(): Promise<readonly string[]> {
    const { backups, unreadable, objects } = await this.catalogue();
    this.faults.push(...unreadable.map(({ key }) => `${key} can not be read`));
    const versions = new Set(backups.map(({ manifest }) => manifest.version));
    for (const version of versions) this.#seen.add(version);
    const newest = [...this.#seen].toSorted((a, b) => b - a).slice(0, KEPT);
    const gone = newest.filter((version) => !versions.has(version));
    if (gone.length > 0) this.faults.push(`gone, though the rule keeps them: ${gone.join(', ')}`);
    for (const { manifest } of backups)
      for (const { key, size } of [...manifest.needs, manifest.list])
        if (objects.get(key)?.size !== size) this.faults.push(`${key} is missing or cut`);
    return backups.map(({ manifest }) => manifest.name);
  }

  /** Restores a backup, sometimes with kills; it must be what the source has been in some run. */
  async restore(name: string): Promise<void> {
    const to = this.at('back', name);
    const args = ['restore', name, '--to', to] as const;
    // A killed one may have done all of it.
    const isDone = (): boolean => existsSync(join(to, this.folder)) && !isBegun(to);
    while (!isDone() && this.random.chance(0.3) && (await this.killed(1500, ...args, ...resumed(to))));
    if (!isDone()) await this.command(...args, ...resumed(to));
    // Most are of not long ago.
    const copies = readdirSync(this.at('copies')).toSorted((a, b) => Number(b) - Number(a));
    const isKnown = copies.some(
      (copy) => differences(this.at('copies', copy), join(to, this.at('source'))) === '',
    );
    if (!isKnown) this.faults.push(`${name} is not what the source has ever been`);
    rmSync(to, { recursive: true, force: true });
  }

  async restoreAll(): Promise<void> {
    for (const name of await this.look()) await this.restore(name);
  }

  /** What is left in the store beside whole backups, after one prune when all of it is old enough. */
  async litter(): Promise<string[]> {
    const log = new RecordingLog();
    const { signal } = new AbortController();
    const now = (): number => Date.now() + TWO_DAYS_MS;
    using state = await openJobState(this.stateDir);
    const [job] = jobsOf(this.config());
    await pruneJob({
      job: job!,
      target: this.target,
      catalogue: await this.catalogue(),
      state,
      run: undefined,
      isOwn: true,
      isDryRun: false,
      log,
      signal,
      now,
    });
    const { backups, objects } = await this.catalogue();
    const known = backups.flatMap(({ manifest }) => [
      manifest.name,
      `${manifest.name}.files`,
      `${manifest.name}.manifest`,
    ]);
    const uploads: string[] = [];
    for await (const { key } of this.target.uploads()) uploads.push(key);
    const here = ['spool', 'scratch'].flatMap((name) => {
      const path = join(this.stateDir, name);
      return existsSync(path) ? readdirSync(path) : [];
    });
    return [
      ...[...objects.keys()].filter((key) => key !== 'job.json' && !known.includes(key)),
      ...uploads,
      ...here,
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.target[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function isBegun(to: string): boolean {
  return readdirSync(to).includes('.isync-restore');
}

function resumed(to: string): string[] {
  return existsSync(to) && isBegun(to) ? ['--resume'] : [];
}

function differences(one: string, other: string): string {
  return execFileSync('rsync', ['-anicH', '--delete', `${one}/`, `${other}/`], { encoding: 'utf8' });
}

/** What goes wrong meanwhile. */
async function faultsOfKills(stage: Stage): Promise<readonly string[]> {
  const started = performance.now();
  await stage.command('run');
  const withinMs = (performance.now() - started) * 1.1;
  let checked = 0;
  while (stage.kills < KILLS && stage.faults.length === 0) {
    if (stage.random.chance(0.6)) stage.change();
    const type = stage.random.chance(0.4) ? ['--type', 'full'] : [];
    await stage.killed(withinMs, 'run', ...type);
    await stage.look();
    if (stage.random.chance(0.2)) await stage.command('run');
    if (stage.kills - checked < CHECK_EACH) continue;
    checked = stage.kills;
    await stage.restoreAll();
  }
  stage.change();
  await stage.command('run');
  await stage.restoreAll();
  stage.faults.push(...(await stage.litter()).map((key) => `${key} is left`));
  await stage.restoreAll();
  return stage.faults;
}

it(
  `after ${KILLS} kill -9, backups in a folder are whole, kept by the rule, and without litter`,
  async () => {
    await using stage = new Stage((at) => at.at('store'), {}, SEED);
    expect(await faultsOfKills(stage)).toEqual([]);
  },
  PATIENCE_MS,
);

await withS3Server((server) => {
  it(
    `after ${KILLS} kill -9, encrypted backups in a bucket are the same`,
    async () => {
      const bucket = await server.makeBucket();
      const identity = await generateX25519Identity();
      const recipient = await identityToRecipient(identity);
      const keys = mkdtempSync(join(tmpdir(), 'isync-key-'));
      const identityFile = join(keys, 'key');
      writeFileSync(identityFile, identity, { mode: 0o600 });
      const to = {
        url: `s3://${bucket}/kept`,
        endpoints: [server.endpoint],
        region: server.region,
        credentials: {
          accessKeyId: { env: 'AWS_ACCESS_KEY_ID' },
          secretAccessKey: { env: 'AWS_SECRET_ACCESS_KEY' },
        },
      };
      try {
        await using stage = new Stage(
          () => to,
          { encrypt: { recipients: [recipient], identityFile } },
          SEED + 1,
          server.env,
        );
        expect(await faultsOfKills(stage)).toEqual([]);
      } finally {
        rmSync(keys, { recursive: true });
      }
    },
    PATIENCE_MS,
  );
});
