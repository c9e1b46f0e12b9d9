import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { lacks } from '../../harness/tools.ts';
import { addToken, runCli, startReceiver, writeTokenFile } from '../../harness/cli.ts';
import type { Ended } from '../../harness/process.ts';
import { filesBelow, isMarked, temporaryFolder } from '../../harness/data-tree.ts';
import { startStage, type Edge, type Stage } from '../../harness/stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});

const noOpenssl = lacks('openssl');

/** What the user sees of a refusal, and what it has left behind. */
async function refusalOf(edge: Edge, ended: Ended, code: string) {
  const files = [...(await filesBelow(edge.root)).values()];
  return {
    exitCode: ended.exitCode,
    told: ended.stderr.includes(code) || ended.stderr,
    stackTrace: /^\s+at .+:\d+:\d+\)?$/m.test(ended.stderr),
    marked: files.filter(isMarked).length,
  };
}

/** It is told under its code, in words and not as a stack trace, and nothing is marked. */
function refused(exitCode: number): Awaited<ReturnType<typeof refusalOf>> {
  return { exitCode, told: true, stackTrace: false, marked: 0 };
}

async function edgeWithFile(device: string): Promise<Edge> {
  const edge = await stage.edge(device);
  await edge.write({ 'DC1/a': 10 });
  return edge;
}

/** Not for what must be answered: on a slow machine that takes longer. */
const IMPATIENT = ['--retry-for', '1'];

describe.concurrent('a target that refuses', () => {
  test('a wrong token ends with 3', async () => {
    const edge = await edgeWithFile('token');
    await using folder = await temporaryFolder('tokens');
    const tokens = join(folder.path, 'tokens.json');
    const store = await stage.edge('token-store');
    await addToken('token', tokens);
    await using receiver = await startReceiver(store.root, { args: ['--tokens', tokens] });
    const other = await addToken('token', join(folder.path, 'other.json'));
    const tokenFile = await writeTokenFile(folder.path, 'token', other);
    const wrong = await edge.scan(['--token-file', tokenFile], { to: receiver.url });
    expect(await refusalOf(edge, wrong, 'AUTH_REFUSED')).toEqual(refused(3));
    expect(wrong.summary).toMatchObject({ exitCode: 3, error: { code: 'AUTH_REFUSED' }, files: 0 });
    expect(wrong.stdout + wrong.stderr).not.toContain(other);
    expect(await refusalOf(edge, await edge.scan([], { to: receiver.url }), 'AUTH_REFUSED')).toEqual(
      refused(3),
    );
  });

  test.each([
    { where: 'in the upgrade', upgrade: false },
    { where: 'in the session', upgrade: true },
  ])('an unknown version, told $where, ends with 3', async ({ upgrade }) => {
    const edge = await edgeWithFile(`version-${upgrade}`);
    await using server = await startStranger(upgrade);
    expect(await refusalOf(edge, await edge.scan([], { to: server.url }), 'VERSION_UNSUPPORTED')).toEqual(
      refused(3),
    );
  });

  test.skipIf(noOpenssl)('a certificate that nobody vouches for ends with 3', async () => {
    const edge = await edgeWithFile('tls');
    await using folder = await temporaryFolder('tls');
    const { cert, key } = makeCertificate(folder.path);
    const store = await stage.edge('tls-store');
    await using receiver = await startReceiver(store.root, { args: ['--tls-cert', cert, '--tls-key', key] });
    expect(receiver.url).toMatch(/^wss:/);
    expect(await refusalOf(edge, await edge.scan([], { to: receiver.url }), 'TLS_FAILED')).toEqual(
      refused(3),
    );
    const trusted = await edge.scan(['--tls-ca', cert], { to: receiver.url });
    expect({ code: trusted.exitCode, files: trusted.summary.files }).toEqual({ code: 0, files: 1 });
  });

  test.skipIf(noOpenssl)('a certificate that the CAs of the system vouch for needs no option', async () => {
    const edge = await edgeWithFile('system-ca');
    await using folder = await temporaryFolder('system-ca');
    const { cert, key } = makeCertificate(folder.path);
    const store = await stage.edge('system-ca-store');
    await using receiver = await startReceiver(store.root, { args: ['--tls-cert', cert, '--tls-key', key] });
    const untold = await edge.scan([], { to: receiver.url });
    expect({ code: untold.exitCode, stderr: untold.stderr }).toEqual({
      code: 3,
      stderr: expect.stringContaining('--tls-ca'),
    });
    // Where OpenSSL looks for the store of the system.
    const env = { SSL_CERT_FILE: cert };
    const sent = await edge.scan([], { to: receiver.url, env });
    expect({ code: sent.exitCode, files: sent.summary.files }).toEqual({ code: 0, files: 1 });
  });

  test('a login page in the place of the receiver does not end a daemon', async () => {
    const edge = await edgeWithFile('portal');
    await using server = await startHttp((_, response) => response.end());
    // What becomes of all others is told in test/sender/ws-refusals.test.ts.
    const answers = ['302 Found', '426 Upgrade'];
    let answered = 0;
    server.server.on('upgrade', (_, socket) => {
      const status = answers[answered++ % answers.length];
      socket.end(`HTTP/1.1 ${status}\r\nLocation: http://portal/\r\nConnection: close\r\n\r\n<html>`);
    });
    for (const answer of answers) {
      await using daemon = edge.daemon([], { to: server.url });
      await daemon.until('the answer to be told', () =>
        daemon.stderr.includes(`HTTP status ${answer.slice(0, 3)}`),
      );
      const once = performance.now();
      // The target can't be reached, so nothing in flight is waited for.
      expect(await daemon.stop('SIGTERM')).toMatchObject({
        exitCode: 130,
        stdout: expect.stringContaining('"files":0'),
      });
      expect(performance.now() - once).toBeLessThan(5_000);
    }
  });

  test('wss:// to a receiver without TLS ends with 4', async () => {
    const edge = await edgeWithFile('no-tls');
    const url = stage.receiver.url.replace('ws:', 'wss:');
    expect(await refusalOf(edge, await edge.scan(IMPATIENT, { to: url }), 'TLS')).toEqual(refused(4));
  });

  test('nobody at the address ends with 4', async () => {
    const edge = await edgeWithFile('nobody');
    expect(
      await refusalOf(edge, await edge.scan(IMPATIENT, { to: 'ws://127.0.0.1:1' }), 'UNREACHABLE'),
    ).toEqual(refused(4));
  });

  test('something else at the address ends with 4', async () => {
    const edge = await edgeWithFile('else');
    await using server = await startHttp((_, response) => response.writeHead(404).end('no such page'));
    expect(await refusalOf(edge, await edge.scan(IMPATIENT, { to: server.url }), 'UNREACHABLE')).toEqual(
      refused(4),
    );
  });

  test('a connection that is cut before anything is said is tried again, then ends with 4', async () => {
    const edge = await edgeWithFile('cut');
    const server = createTlsServer();
    await using mute = await listen(server, (url) => url);
    let tries = 0;
    server.on('connection', (socket) => {
      tries++;
      socket.destroy();
    });
    expect(
      await refusalOf(edge, await edge.scan(['--retry-for', '3'], { to: mute.url }), 'UNREACHABLE'),
    ).toEqual(refused(4));
    expect(tries).toBeGreaterThan(1);
  });
});

describe.concurrent('a command line that makes no sense', () => {
  test.each([
    { args: ['scan', '/tmp'], says: '--to' },
    { args: ['scan', '/tmp', '--to', 'ftp://x'], says: 'ftp://x' },
    { args: ['frobnicate'], says: 'frobnicate' },
  ])('$args ends with 2', async ({ args, says }) => {
    const { exitCode, stderr, stdout } = await runCli(args);
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 2,
      stdout: '',
      stderr: expect.stringContaining(says),
    });
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

/** A server of the future: refuses our version with 426, or takes the session and closes it with 4426. */
async function startStranger(upgrade: boolean) {
  const sessions = new WebSocketServer({ noServer: true, handleProtocols: () => 'isync.v1' });
  sessions.on('connection', (session) => session.on('message', () => session.close(4426, 'only version 9')));
  const started = await startHttp((_, response) => response.end());
  started.server.on('upgrade', (request, socket, head) => {
    if (upgrade)
      sessions.handleUpgrade(request, socket, head, (ws) => sessions.emit('connection', ws, request));
    else
      socket.end(
        'HTTP/1.1 426 Upgrade Required\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n' +
          '{"code":"VERSION_UNSUPPORTED","message":"only isync.v9 is spoken here"}',
      );
  });
  return started;
}

async function startHttp(answer: Parameters<typeof createServer>[1] & {}) {
  const server: Server = createServer(answer);
  const listening = await listen(server, (url) => url);
  return Object.assign(listening, { server });
}

async function listen(
  server: {
    listen(port: number, host: string): unknown;
    address(): unknown;
    close(): unknown;
  } & NodeJS.EventEmitter,
  make: (url: string) => string,
): Promise<AsyncDisposable & { url: string }> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: make(`ws://127.0.0.1:${port}`),
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, 'close');
    },
  };
}

function makeCertificate(folder: string): { cert: string; key: string } {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const newkey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  execFileSync(
    'openssl',
    ['req', '-x509', ...newkey, ...subject, '-days', '2', '-keyout', key, '-out', cert],
    {
      stdio: 'ignore',
    },
  );
  return { cert, key };
}
