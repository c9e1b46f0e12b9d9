import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './process.ts';

/** A real NATS server with JetStream, on loopback, of this process. */
export interface NatsServer extends AsyncDisposable {
  readonly url: string;
  /** Where JetStream keeps what it has. */
  readonly store: string;
  /** Kills it, as a power cut of the broker would for its clients. */
  kill(): Promise<void>;
  /** Ends it as it likes to be: all that it knows is on the disk. */
  stop(): Promise<void>;
  /** Starts it again where it was, with what it had. */
  start(): Promise<void>;
}

/**
 * Starts Debian's nats-server on a free port. Ask `lacks('nats-server')` of tools.ts before.
 * @param more settings of its config file
 */
export async function startNatsServer(more: readonly string[] = []): Promise<NatsServer> {
  const folder = mkdtempSync(join(tmpdir(), 'isync-nats-'));
  const config = join(folder, 'nats.conf');
  const store = join(folder, 'store');
  let port = -1;
  let server: ChildProcess | undefined;

  const start = async (): Promise<void> => {
    const settings = [
      `listen: "127.0.0.1:${port}"`,
      `jetstream { store_dir: ${JSON.stringify(store)} }`,
      `ports_file_dir: ${JSON.stringify(folder)}`,
      ...more,
    ];
    writeFileSync(config, `${settings.join('\n')}\n`);
    const started = spawn('nats-server', ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'] });
    server = started;
    let words = '';
    started.stderr.setEncoding('utf8').on('data', (text: string) => (words = (words + text).slice(-20_000)));
    await until('nats-server to listen', () => {
      if (started.exitCode !== null) throw new Error(`nats-server ended:\n${words}`);
      if (!words.includes('Server is ready')) return false;
      port = portIn(folder, started.pid ?? 0);
      return port > 0;
    });
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    server.kill(signal);
    await once(server, 'exit');
  };
  const kill = (): Promise<void> => end('SIGKILL');
  const onExit = (): void => void server?.kill('SIGKILL');
  process.on('exit', onExit);
  await start();
  return {
    url: `nats://127.0.0.1:${port}`,
    store,
    kill,
    stop: () => end('SIGTERM'),
    start,
    [Symbol.asyncDispose]: async () => {
      process.off('exit', onExit);
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** 0 until the server has written where it listens. */
function portIn(folder: string, pid: number): number {
  const name = readdirSync(folder).find((each) => each.endsWith(`_${pid}.ports`));
  const text = name === undefined ? '' : readFileSync(join(folder, name), 'utf8');
  if (!text.trim().endsWith('}')) return 0;
  const { nats = [] } = JSON.parse(text) as { nats?: string[] };
  return Number(new URL(nats[0] ?? 'nats://none:0').port);
}
