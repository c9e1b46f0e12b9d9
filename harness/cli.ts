import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startNode, type CliProcess, type Ended, type ProcessOptions } from './process.ts';

/** What runs as `isync`: this checkout, or what these name: a run's bundle of it, or an installed package and another Node. */
export const CLI_MAIN =
  process.env['ISYNC_CLI_MAIN'] ?? fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
export const CLI_NODE = process.env['ISYNC_CLI_NODE'] ?? process.execPath;

export interface CliOptions extends ProcessOptions {
  /** Another build's main file than {@link CLI_MAIN}. */
  readonly main?: string | undefined;
}

/** Starts `isync ARGS` as a process of its own. */
export function startCli(args: readonly string[], options: CliOptions = {}): CliProcess {
  return startNode([options.main ?? CLI_MAIN, ...args], { node: CLI_NODE, ...options });
}

/** Runs `isync ARGS` to its end. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<Ended> {
  await using cli = startCli(args, options);
  return await cli.ended;
}

/** A token of `device`, made by the CLI itself in the token file `tokens`. */
export async function addToken(
  device: string,
  tokens: string,
  more: readonly '--read'[] = [],
): Promise<string> {
  const { exitCode, stdout, stderr } = await runCli(['token', 'add', device, '--tokens', tokens, ...more]);
  const token = stdout.trim();
  if (exitCode !== 0 || token === '') throw new Error(`token add ended with ${exitCode}: ${stdout}${stderr}`);
  return token;
}

/** Writes the sender's token file and returns its path. */
export async function writeTokenFile(folder: string, device: string, token: string): Promise<string> {
  const path = join(folder, `${device}.token`);
  await writeFile(path, `${token}\n`, { mode: 0o600 });
  return path;
}

export interface Receiver extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly process: CliProcess;
}

/** Starts `isync receive STORE` and waits until it listens; on a free port of the loopback unless told. */
export async function startReceiver(
  store: string,
  options: CliOptions & { readonly args?: readonly string[]; readonly port?: number } = {},
): Promise<Receiver> {
  const { args = [], port = 0, ...rest } = options;
  const cli = startCli(['receive', store, '--listen', `127.0.0.1:${port}`, '--json', ...args], rest);
  try {
    const url = await cli.until('the receiver to listen', () => listeningUrl(cli.stdout));
    return {
      url,
      port: Number(new URL(url).port),
      process: cli,
      [Symbol.asyncDispose]: async () => await cli[Symbol.asyncDispose](),
    };
  } catch (thrown) {
    await cli[Symbol.asyncDispose]();
    throw thrown;
  }
}

function listeningUrl(stdout: string): string | undefined {
  const line = stdout.split('\n').find((line) => line.includes('"listening"'));
  if (line === undefined || !stdout.includes('\n')) return undefined;
  return (JSON.parse(line) as { url: string }).url;
}

/** What `isync scan --json` prints at its end. */
export interface Summary {
  readonly files: number;
  readonly bytes: number;
  readonly skippedMarked: number;
  readonly problems: readonly { readonly path: string; readonly code: string; readonly message: string }[];
  readonly problemCount: number;
  readonly ignored: number;
  readonly directories: readonly {
    readonly name: string;
    readonly state: string;
    readonly sealed: boolean;
  }[];
  readonly exitCode: number;
}

export interface Scanned extends Ended {
  readonly summary: Summary;
}

/** Runs `isync scan ROOT --once --json` to its end; rejects when it prints no summary. */
export async function scanOnce(
  root: string,
  options: CliOptions & { readonly to: string; readonly device?: string; readonly args?: readonly string[] },
): Promise<Scanned> {
  const { to, device = 'edge1', args = [], ...rest } = options;
  const ended = await runCli(
    ['scan', root, '--to', to, '--device', device, '--once', '--json', ...args],
    rest,
  );
  return { ...ended, summary: summaryOf(ended) };
}

/** Starts `isync scan ROOT --json` as a daemon. */
export function startScan(
  root: string,
  options: CliOptions & { readonly to: string; readonly device?: string; readonly args?: readonly string[] },
): CliProcess {
  const { to, device = 'edge1', args = [], ...rest } = options;
  return startCli(['scan', root, '--to', to, '--device', device, '--json', ...args], rest);
}

/** Stops a daemon as Ctrl-C does and returns its summary. */
export async function stopScan(daemon: CliProcess): Promise<Scanned> {
  const ended = await daemon.stop('SIGINT');
  return { ...ended, summary: summaryOf(ended) };
}

function summaryOf({ exitCode, stdout, stderr }: Ended): Summary {
  const line = stdout.trim().split('\n').at(-1) ?? '';
  try {
    return JSON.parse(line) as Summary;
  } catch (thrown) {
    throw new Error(`no summary on stdout, exit code ${exitCode}:\n${stdout}\n${stderr}`, { cause: thrown });
  }
}
