import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { CLI_MAIN, CLI_NODE, addToken, startReceiver, writeTokenFile } from '../../harness/cli.ts';
import { CliProcess, plainEnvironment } from '../../harness/process.ts';
import { libfaketime } from '../../harness/tools.ts';

/** Somebody whom file modes stop. */
export const NOBODY = 65_534;

/** How `isync` is started, beside its arguments. */
export interface Start {
  readonly env?: Readonly<Record<string, string>>;
  readonly uid?: number;
  /** What starts it in its place, like `["sh", "-c", "ulimit -n 100; exec \"$@\"", "sh"]`. */
  readonly wrap?: readonly string[];
}

export function start(args: readonly string[], { env, uid, wrap = [] }: Start = {}): CliProcess {
  const [program = CLI_NODE, ...rest] = [...wrap, CLI_NODE, CLI_MAIN, ...args];
  const child = spawn(program, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...plainEnvironment(), ...env },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  return new CliProcess(child, args);
}

/** Starts another program. */
export function startProgram(program: string, args: readonly string[]): CliProcess {
  return new CliProcess(spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] }), [program, ...args]);
}

/** Another clock, as far as the process can tell. */
export function atTime(offset: string): Readonly<Record<string, string>> {
  return { LD_PRELOAD: libfaketime() ?? '', FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
}

/** What all set-ups share: certificates, tokens, and receivers that are as they should be. */
export class DoctorStage implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'isync-doctor-'));
  readonly #stack = new AsyncDisposableStack();
  #made = 0;

  constructor() {
    chmodSync(this.folder, 0o755);
    this.#stack.defer(() => rmSync(this.folder, { recursive: true, force: true }));
  }

  use<T extends AsyncDisposable>(resource: T): T {
    return this.#stack.use(resource);
  }

  defer(undo: () => void): void {
    this.#stack.defer(undo);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** A new empty folder, of a user. */
  make(name: string, uid = 0): string {
    const path = this.path(`${++this.#made}-${name}`);
    mkdirSync(path, { mode: 0o755 });
    if (process.geteuid?.() === 0) chownSync(path, uid, uid);
    return path;
  }

  write(name: string, content: string, mode = 0o644): string {
    const path = this.path(`${++this.#made}-${name}`);
    writeFileSync(path, content, { mode });
    return path;
  }

  /** A root with a file in a closed directory and one in another, all of one user. */
  root(uid = 0): string {
    const root = this.make('root', uid);
    for (const directory of ['D1', 'D2']) {
      mkdirSync(join(root, directory));
      for (const name of directory === 'D1' ? ['a', 'finished.parse'] : ['b']) {
        const path = join(root, directory, name);
        writeFileSync(path, name);
        if (process.geteuid?.() === 0) chownSync(path, uid, uid);
      }
      if (process.geteuid?.() === 0) chownSync(join(root, directory), uid, uid);
    }
    return root;
  }

  /** A certificate that signs itself, for `names`; with another clock it is of another time. */
  certificate(name: string, names: string, { days = 30, clock }: { days?: number; clock?: string } = {}) {
    const [cert, key] = [this.path(`${name}.pem`), this.path(`${name}-key.pem`)];
    const subject = ['-subj', `/CN=${name}`, ...(names === '' ? [] : ['-addext', `subjectAltName=${names}`])];
    const make = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    execFileSync('openssl', [...make, '-days', String(days), '-keyout', key, '-out', cert, ...subject], {
      stdio: 'pipe',
      env: { ...process.env, ...(clock !== undefined && atTime(clock)) },
    });
    return { cert, key };
  }

  /** A receiver over a store of its own. Returns its URL. */
  async receiver(
    args: readonly string[] = [],
    store = this.make('store'),
    startedBy: Start = {},
  ): Promise<string> {
    const { env = {} } = startedBy;
    return this.use(await startReceiver(store, { args, env })).url;
  }

  /** A token for `device` in the token file of a receiver, and the file that holds it for the sender. */
  async token(
    tokens: string,
    device: string,
    { more = [], name = device }: { readonly more?: readonly '--read'[]; readonly name?: string } = {},
  ): Promise<string> {
    return await writeTokenFile(this.folder, name, await addToken(device, tokens, more));
  }

  /** Something that answers HTTP and is no receiver. */
  async http(status: number, body: string): Promise<number> {
    const server = createHttpServer((_, response) => response.writeHead(status).end(body));
    server.on('upgrade', (_, socket) =>
      socket.end(
        `HTTP/1.1 ${status} Nope\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      ),
    );
    return await this.#listen(server);
  }

  /** Something that takes connections and says nothing. */
  async silence(): Promise<number> {
    return await this.#listen(createServer(() => {}));
  }

  async #listen(server: Server): Promise<number> {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.defer(() => void server.close());
    return (server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
