import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freePort } from './free-port.ts';
import { until } from './process.ts';
import { listens } from './listens.ts';

/** A real nginx, on loopback, of this process. */
export interface Nginx extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`, without "/" at its end. */
  readonly url: string;
  /** Files that it serves. */
  readonly root: string;
  /** Writes a file of it, with the folders above. */
  write(path: string, content: string | Uint8Array): void;
  /** What it has answered so far; of a request that is under way nothing yet. */
  readonly answered: readonly NginxAnswer[];
  /** What it has said of itself lately. */
  readonly words: string;
  /** As a power cut would. */
  kill(): Promise<void>;
  /** Starts it again where it was. */
  start(): Promise<void>;
}

export interface NginxAnswer {
  readonly method: string;
  /** As it was sent. */
  readonly target: string;
  readonly status: number;
  /** Of the request; '' where there was none. */
  readonly authorization: string;
  readonly acceptEncoding: string;
  readonly range: string;
}

/** Most of its own messages that is kept, in characters. */
const MOST_WORDS = 20_000;
const LOG_FORMAT =
  '{"method":"$request_method","target":"$request_uri","status":$status,"authorization":"$http_authorization",' +
  '"acceptEncoding":"$http_accept_encoding","range":"$http_range"}';

/**
 * Starts Debian's nginx as `nginx -p FOLDER -c FILE`, apart from the system's. Ask `lacks('nginx')` of tools.ts before.
 * @param directives of its `server`; `ROOT` stands for the folder of its files
 * @param outside those of its `http`
 */
export async function startNginx(directives = '', outside = ''): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'isync-nginx-'));
  const inFolder = (name: string): string => join(folder, name);
  const root = inFolder('files');
  const log = inFolder('answered');
  mkdirSync(root);
  writeFileSync(log, '');
  const port = await freePort();
  writeFileSync(inFolder('nginx.conf'), configOf({ folder, root, log, port, directives, outside }));
  let server: ChildProcess | undefined;
  let words = '';

  const start = async (): Promise<void> => {
    // It ends with this process, however that ends.
    const nginx = ['nginx', '-p', folder, '-c', inFolder('nginx.conf'), '-e', 'stderr'];
    const started = spawn('setpriv', ['--pdeathsig', 'KILL', ...nginx], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    server = started;
    started.stderr
      .setEncoding('utf8')
      .on('data', (text: string) => (words = (words + text).slice(-MOST_WORDS)));
    await until('nginx to listen', async () => {
      if (hasEnded(started)) throw new Error(`nginx ended:\n${words}`);
      return await listens(port);
    });
  };
  const kill = async (): Promise<void> => {
    if (server === undefined || hasEnded(server)) return;
    server.kill('SIGKILL');
    await once(server, 'exit');
  };
  await start();
  return {
    url: `http://127.0.0.1:${port}`,
    root,
    write: (path, content) => {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), content);
    },
    get answered() {
      const lines = readFileSync(log, 'utf8').split('\n').filter(Boolean);
      return lines.map((line) => JSON.parse(line) as NginxAnswer);
    },
    get words() {
      return words;
    },
    kill,
    start,
    [Symbol.asyncDispose]: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Config {
  readonly folder: string;
  readonly root: string;
  readonly log: string;
  readonly port: number;
  readonly directives: string;
  readonly outside: string;
}

/** One process, which runs as this user; nothing of it lies elsewhere. */
function configOf({ folder, root, log, port, directives, outside }: Config): string {
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `  ${kind}_temp_path ${folder}/${kind};`,
  );
  return `daemon off;
master_process off;
pid ${folder}/pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  log_format answered escape=json '${LOG_FORMAT}';
  access_log ${log} answered;
${places.join('\n')}
${outside}
  server {
    listen 127.0.0.1:${port};
    root ${root};
${directives.replaceAll('ROOT', root)}
  }
}
`;
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
