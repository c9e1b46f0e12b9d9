import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { until } from './process.ts';
import { listens } from './listens.ts';

/** Debian's own script: the one in the PATH is for root and the system's broker. */
export const RABBITMQ_SERVER = '/usr/lib/rabbitmq/bin/rabbitmq-server';
const RABBITMQCTL = '/usr/lib/rabbitmq/bin/rabbitmqctl';

/** A real RabbitMQ broker, on loopback, of this process. Its user is `guest`. */
export interface RabbitServer extends AsyncDisposable {
  readonly port: number;
  /** `amqp://guest:guest@127.0.0.1:PORT` */
  readonly url: string;
  /** Kills it, as a power cut of the broker would for its clients. */
  kill(): Promise<void>;
  /** Starts it again where it was, with what it had: some 10 s. */
  start(): Promise<void>;
  /** Free space, as RabbitMQ writes it ("50MB"), below which it takes nothing from publishers. */
  setDiskLimit(limit: string): Promise<void>;
}

export interface RabbitSettings {
  /** Of its application, by name: also those that rabbitmq.conf does not take. */
  readonly rabbit?: Readonly<Record<string, number>>;
}

/**
 * Starts Debian's rabbitmq-server on free ports, in a folder of its own, apart from the system's. Ask `lacks('rabbitmq-server')`
 * of tools.ts before. It takes some 16 s: tests that can share one get it from shared-rabbit.ts.
 */
export async function startRabbitServer({ rabbit = {} }: RabbitSettings = {}): Promise<RabbitServer> {
  const folder = mkdtempSync(join(tmpdir(), 'isync-rabbit-'));
  const [port, distPort, epmdPort] = [await freePort(), await freePort(), await freePort()];
  const inFolder = (name: string): string => join(folder, name);
  writeFileSync(
    inFolder('rabbitmq.conf'),
    [`listeners.tcp.1 = 127.0.0.1:${port}`, 'disk_free_limit.absolute = 50MB', ''].join('\n'),
  );
  writeFileSync(inFolder('enabled_plugins'), '[].\n');
  mkdirSync(inFolder('home'));
  const env = {
    PATH: process.env['PATH'],
    LANG: 'C.UTF-8',
    HOME: inFolder('home'),
    RABBITMQ_NODENAME: `isync-${port}@localhost`,
    RABBITMQ_MNESIA_BASE: inFolder('mnesia'),
    RABBITMQ_LOG_BASE: inFolder('log'),
    RABBITMQ_CONFIG_FILE: inFolder('rabbitmq.conf'),
    RABBITMQ_PID_FILE: inFolder('pid'),
    RABBITMQ_ENABLED_PLUGINS_FILE: inFolder('enabled_plugins'),
    RABBITMQ_DIST_PORT: String(distPort),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: [
      '-kernel inet_dist_use_interface {127,0,0,1}',
      ...Object.entries(rabbit).map(([name, value]) => `-rabbit ${name} ${value}`),
    ].join(' '),
    // Else it lies where the tests run.
    ERL_CRASH_DUMP_BYTES: '0',
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    // The script then becomes the broker, as under systemd, rather than waiting beside it: one process to end.
    NOTIFY_SOCKET: inFolder('nobody'),
  };
  // Erlang would start one that outlives everybody.
  const epmd = spawnBound('epmd', ['-port', String(epmdPort), '-address', '127.0.0.1'], env);
  let broker: ChildProcess | undefined;

  const start = async (): Promise<void> => {
    const started = spawnBound(RABBITMQ_SERVER, [], env);
    broker = started;
    let words = '';
    for (const stream of [started.stdout, started.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (words = (words + text).slice(-20_000)));
    await until('rabbitmq-server to listen', async () => {
      if (hasEnded(started)) throw new Error(`rabbitmq-server ended:\n${words}`);
      return await listens(port);
    });
  };
  const stop = (): Promise<void> => kill(broker);
  await start();
  return {
    port,
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    kill: stop,
    start,
    setDiskLimit: async (limit) => {
      await promisify(execFile)(RABBITMQCTL, ['set_disk_free_limit', limit], { env });
    },
    [Symbol.asyncDispose]: async () => {
      await stop();
      await kill(epmd);
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** A process that the kernel ends when this one is gone, however that came. */
function spawnBound(command: string, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  return spawn('setpriv', ['--pdeathsig', 'KILL', command, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function kill(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || hasEnded(child)) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
