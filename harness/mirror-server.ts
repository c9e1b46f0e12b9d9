import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startCli } from './cli.ts';
import { type CliProcess, until } from './process.ts';
import type { S3Server } from './s3-server.ts';

/** `isync mirror --config FILE` as a user starts it. Disposing ends it. */
export interface MirrorServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Of its metrics; undefined where they were not asked for. */
  readonly status: string | undefined;
  readonly process: CliProcess;
}

export interface MirrorServerOptions {
  /** Of the config file; the S3 endpoint is added. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** For the config file and the spool. */
  readonly folder: string;
  /** Default: a free one. */
  readonly port?: number;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a mirror on loopback, and waits until it listens. */
export async function startMirrorServer(
  { endpoint, env }: Pick<S3Server, 'endpoint' | 'env'>,
  { settings, folder, port = 0, args = [], env: more = {} }: MirrorServerOptions,
): Promise<MirrorServer> {
  const config = join(folder, 'mirror.yaml');
  await writeFile(
    config,
    JSON.stringify({ s3Endpoint: endpoint, spool: join(folder, 'spool'), ...settings }),
  );
  const own = ['--config', config, '--listen', `127.0.0.1:${port}`, '--json'];
  const cli = startCli(['mirror', ...own, ...args], { env: { ...env, ...more } });
  try {
    const { url, status } = await mirrorStarted(cli);
    return {
      url,
      port: Number(new URL(url).port),
      status,
      process: cli,
      [Symbol.asyncDispose]: async () => await cli[Symbol.asyncDispose](),
    };
  } catch (thrown) {
    await cli[Symbol.asyncDispose]();
    throw thrown;
  }
}

/** What `isync mirror --json` prints when it listens. */
export async function mirrorStarted(
  cli: CliProcess,
): Promise<{ readonly url: string; readonly status: string | undefined }> {
  return await cli.until('the mirror to listen', () => {
    const lines = cli.stdout.split('\n').slice(0, -1);
    const line = lines.find((each) => each.includes('"started"'));
    return line === undefined ? undefined : (JSON.parse(line) as { url: string; status: string | undefined });
  });
}

/** The value of a metric of the mirror, in all its labels. */
export async function metricOf({ status }: MirrorServer, name: string): Promise<number> {
  const text = await (await fetch(`${status}/metrics`)).text();
  const values = text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** Resolves when no fill is under way any more. */
export async function mirrorSettled(mirror: MirrorServer): Promise<void> {
  await until('fills to end', async () => (await metricOf(mirror, 'isync_mirror_fills')) === 0);
}
