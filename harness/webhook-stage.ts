import { writeFile } from 'node:fs/promises';
import { type Agent, request } from 'node:http';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { runCli, startCli } from './cli.ts';
import { temporaryFolder } from './data-tree.ts';
import type { CliProcess, Ended, ProcessOptions } from './process.ts';

/** A machine with a webhook: its config, its state, its queue. */
export interface WebhookStage extends AsyncDisposable {
  readonly folder: string;
  readonly config: string;
  /** A path on the machine. */
  readonly at: (path: string) => string;
  /** Writes the config: a free port, and `settings`. */
  readonly configure: (settings: Readonly<Record<string, unknown>>) => Promise<void>;
  /** Writes a shell script, and returns its path. */
  readonly script: (text: string) => Promise<string>;
  /** Starts a webhook of the config, and waits until it says that it has begun. */
  readonly start: (args?: readonly string[], options?: ProcessOptions) => Promise<Webhook>;
  /** Begins `isync webhook ARGS`. */
  readonly begin: (...args: string[]) => CliProcess;
  /** Runs `isync webhook ARGS` to its end. */
  readonly run: (...args: string[]) => Promise<Ended>;
  /** What `isync webhook queue` tells. */
  readonly counts: () => Promise<Counts>;
}

export interface Counts {
  readonly waiting: number;
  readonly inHand: number;
  readonly dead: number;
  readonly oldestSeconds?: number;
}

/** A process of `isync webhook`. */
export interface Webhook extends AsyncDisposable {
  readonly process: CliProcess;
  /** Where events are posted to; '' where it only works. */
  readonly url: string;
  readonly port: number;
  /** '' without `--status`. */
  readonly statusUrl: string;
  readonly ask: (asked: Asked) => Promise<Answer>;
  /** Posts an event; rejects where no answer comes. */
  readonly post: (body: string, asked?: Omit<Asked, 'body'>) => Promise<Answer>;
}

export interface Asked {
  /** Default: GET. */
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Default: a connection of its own. */
  readonly agent?: Agent;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

interface Started {
  readonly event: 'started';
  readonly url?: string;
  readonly status?: string;
}

export async function startWebhookStage(env: Readonly<Record<string, string>> = {}): Promise<WebhookStage> {
  const { path: folder, [Symbol.asyncDispose]: remove } = await temporaryFolder('webhook');
  const config = join(folder, 'webhook.yaml');
  const argsFor = (args: readonly string[]): string[] => ['webhook', ...args, '--config', config];
  const run = async (...args: string[]): Promise<Ended> => await runCli(argsFor(args), { env });
  const stage: WebhookStage = {
    folder,
    config,
    at: (path) => join(folder, path),
    configure: async (settings) =>
      await writeFile(config, JSON.stringify({ port: 0, minFree: '1MiB', ...settings }, undefined, 2)),
    script: async (text) => {
      const path = join(folder, 'script');
      await writeFile(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
      return path;
    },
    start: async (args = [], options = {}) => {
      const process = startCli(argsFor(['--json', ...args]), { ...options, env: { ...env, ...options.env } });
      return await startedOf(process);
    },
    begin: (...args) => startCli(argsFor(args), { env }),
    run,
    counts: async () => {
      const { stdout, stderr } = await run('queue', '--json');
      if (stdout === '') throw new Error(`no counts: ${stderr}`);
      return JSON.parse(stdout) as Counts;
    },
    [Symbol.asyncDispose]: remove,
  };
  return stage;
}

async function startedOf(process: CliProcess): Promise<Webhook> {
  try {
    const { url = '', status = '' } = await process.until('the webhook to begin', () => startOf(process));
    const port = url === '' ? 0 : Number(new URL(url).port);
    return {
      process,
      url,
      port,
      statusUrl: status,
      ask: async (asked) => await ask(port, asked),
      post: async (body, asked = {}) => await ask(port, { method: 'POST', path: '/webhook', ...asked, body }),
      [Symbol.asyncDispose]: async () => await process[Symbol.asyncDispose](),
    };
  } catch (thrown) {
    await process[Symbol.asyncDispose]();
    throw thrown;
  }
}

function startOf({ stdout }: CliProcess): Started | undefined {
  const line = stdout
    .split('\n')
    .slice(0, -1)
    .find((each) => each.includes('"started"'));
  return line === undefined ? undefined : (JSON.parse(line) as Started);
}

function ask(port: number, { method = 'GET', path, headers = {}, body = '', agent }: Asked): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, method, path, headers, agent: agent ?? false });
    asked.on('error', reject).once('response', (response) => {
      textOf(response).then(
        (text) => resolve({ status: response.statusCode ?? 0, text, headers: response.headers }),
        reject,
      );
    });
    asked.end(body);
  });
}
