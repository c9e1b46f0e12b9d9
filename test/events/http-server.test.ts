import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { connect as connectTcp, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Random } from '../../harness/random.ts';
import { startWebhook, type StartWebhookOptions } from '../../src/events/http/start-webhook.ts';
import { hostileBodies } from './hostile-bodies.ts';
import { Kept, messageOf, record, TOKEN } from './http-support.ts';

async function serve(options: Partial<StartWebhookOptions> = {}, kept = new Kept()) {
  const server = await startWebhook({ ...kept.options(), port: 0, address: '127.0.0.1', ...options });
  onTestFinished(() => server[Symbol.asyncDispose]());
  return { kept, server, port: server.port };
}

async function tcp(port: number, say: string): Promise<Socket> {
  const socket = connectTcp(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(say);
  return socket;
}

/** By whatever: a reset is an error of the socket, too. */
const isClosed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => void socket.resume().once('close', () => resolve()));

interface Posted {
  readonly status: number;
  readonly text: string;
}

function post(
  port: number,
  body: string | Buffer,
  headers: Record<string, string> = {},
  agent?: Agent,
): Promise<Posted> {
  return ask(port, 'POST', '/webhook', body, { authorization: `Bearer ${TOKEN}`, ...headers }, agent);
}

async function ask(
  port: number,
  method: string,
  path: string,
  body: string | Buffer = '',
  headers: Record<string, string> = {},
  agent?: Agent,
): Promise<Posted> {
  const request = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: agent ?? false });
  const answer = new Promise<Posted>((resolve, reject) => {
    request.on('error', reject).once('response', (response) => {
      text(response).then((told) => resolve({ status: response.statusCode ?? 0, text: told }), reject);
    });
  });
  request.end(body);
  return answer;
}

const headOf = (lines: readonly string[]): string =>
  ['POST /webhook HTTP/1.1', 'Host: x', ...lines, '', ''].join('\r\n');
const WITH_TOKEN = `Authorization: Bearer ${TOKEN}`;

describe('a webhook on its socket', () => {
  it('takes events, and answers a ping', async () => {
    const { kept, port, server } = await serve();
    expect(await ask(port, 'GET', '/ping')).toEqual({ status: 200, text: 'Pong' });
    expect(await ask(port, 'HEAD', '/webhook')).toEqual({ status: 200, text: '' });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    for (const key of ['a', 'b', 'c'])
      expect(await post(port, messageOf(record(key)), {}, agent)).toMatchObject({ status: 200 });
    expect(kept.keys).toEqual(['a', 'b', 'c']);
    expect(server.url('http')).toBe(`http://127.0.0.1:${port}`);
  });

  it('refuses a request before its body has come', async () => {
    const { port } = await serve();
    const socket = await tcp(port, headOf(['Content-Length: 1000', 'Connection: close']));
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    expect(bytes.toString()).toMatch(/^HTTP\/1\.1 401 /);
  });

  it.each([
    ['the head', { headerMs: 1000, requestMs: 60_000 }, 'POST /webhook HTTP/1.1\r\nHost: x\r\nX-A: '],
    ['the body', { headerMs: 1000, requestMs: 1500 }, headOf([WITH_TOKEN, 'Content-Length: 1000'])],
  ])('cuts whoever is slow to send %s, and serves others meanwhile', async (_, limits, begin) => {
    const { kept, port } = await serve({ limits });
    const slow = await Promise.all(Array.from({ length: 50 }, () => tcp(port, begin)));
    const closed = slow.map(isClosed);
    const drip = setInterval(() => {
      for (const socket of slow) if (!socket.destroyed) socket.write('x');
    }, 50);
    onTestFinished(() => clearInterval(drip));
    expect(await post(port, messageOf(record()))).toMatchObject({ status: 200 });
    await Promise.all(closed);
    expect(kept.keys).toEqual(['a.jpg']);
    expect(kept.log.at('error')).toEqual([]);
  });

  it('closes the newest of too many connections', async () => {
    const { kept, port } = await serve({
      limits: { connections: 3, unadmitted: { total: 10, perAddress: 10 } },
    });
    const first = await Promise.all(Array.from({ length: 3 }, () => tcp(port, '')));
    const fourth = await tcp(port, '');
    await isClosed(fourth);
    expect(first.map(({ destroyed }) => destroyed)).toEqual([false, false, false]);
    expect(kept.log.messages).toContain('too many connections: the newest was closed');
  });

  it('lets a flood of strangers cut none that has posted', async () => {
    const { port } = await serve({ limits: { unadmitted: { total: 3, perAddress: 3 } } });
    const body = messageOf(record());
    const request = headOf([WITH_TOKEN, `Content-Length: ${body.length}`]) + body;
    const socket = await tcp(port, request);
    await once(socket, 'data');
    const idle = await Promise.all(Array.from({ length: 10 }, () => tcp(port, '')));
    for (const each of idle) each.resume();
    await vi.waitFor(() => expect(idle.filter(({ closed }) => closed).length).toBeGreaterThanOrEqual(7));
    socket.write(request);
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    expect(bytes.toString()).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe('where a webhook listens', () => {
  it.each(['0.0.0.0', '::', '192.0.2.1'])('not at %s, where nothing says who may post', async (address) => {
    await expect(serve({ access: {}, address })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      hint: expect.stringContaining('--insecure'),
    });
  });

  it('at loopback only, by default, where nothing says who may post', async () => {
    const { server } = await serve({ access: {}, address: undefined });
    expect(server.host).toBe('127.0.0.1');
  });

  it.each([
    ['something says who may post', {}],
    ['its user says that anybody may', { access: {}, insecure: true }],
  ])('at all addresses, where %s', async (_, options) => {
    const { server, port } = await serve({ address: undefined, ...options });
    expect(['::', '0.0.0.0']).toContain(server.host);
    expect(await ask(port, 'GET', '/ping')).toMatchObject({ status: 200 });
  });
});

describe('when a webhook ends', () => {
  it('what was read is made durable and answered, and nothing new is taken', async () => {
    const gate = Promise.withResolvers<void>();
    const kept = new Kept();
    const asked = vi.fn<() => void>();
    const publish = kept.publish;
    kept.publish = async (messages) => {
      asked();
      await gate.promise;
      await publish(messages);
    };
    const { server, port } = await serve({}, kept);
    const answers = Array.from({ length: 10 }, (_, index) => post(port, messageOf(record(`${index}`))));
    await vi.waitFor(() => expect(asked).toHaveBeenCalledTimes(10));
    const ended = server.end();
    await expect(ask(port, 'GET', '/ping')).rejects.toThrow('ECONNREFUSED');
    expect(kept.published).toEqual([]);
    gate.resolve();
    for (const answer of answers) expect(await answer).toMatchObject({ status: 200 });
    expect(await ended).toBe(true);
    expect(new Set(kept.keys)).toEqual(new Set(Array.from({ length: 10 }, (_, index) => `${index}`)));
  });

  it('whoever keeps nothing within the grace is cut, unanswered', async () => {
    const kept = new Kept();
    const asked = Promise.withResolvers<void>();
    kept.publish = async () => {
      asked.resolve();
      await new Promise(() => undefined);
    };
    const { server, port } = await serve({ graceMs: 50 }, kept);
    const answer = post(port, messageOf(record()));
    const failed = answer.catch((error: Error) => error.message);
    await asked.promise;
    expect(await server.end()).toBe(false);
    expect(await failed).toMatch(/hang up|ECONNRESET/);
  });
});

/** What an attack may cost. */
const MAX_GROWTH_MB = 85;

/** A webhook in a process of its own. */
async function started() {
  const program = fileURLToPath(new URL('http-receiver.ts', import.meta.url));
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface(child.stdout);
  const [port] = (await once(lines, 'line')) as [string];
  return {
    port: Number(port),
    full: () => child.kill('SIGUSR2'),
    /** The most memory that it has had, in MB. */
    peakMB: () => {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      return (Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024) / 1e6;
    },
    end: async (): Promise<{ published: number; parked: number; lines: number }> => {
      const line = once(lines, 'line') as Promise<[string]>;
      child.kill('SIGTERM');
      return JSON.parse((await line)[0]);
    },
  };
}

describe('a webhook under attack', () => {
  it('answers pings within 100 ms while senders that wait for nothing get 503, and writes few lines', async () => {
    const { port, full, end } = await started();
    const body = messageOf(record());
    full();
    await vi.waitFor(async () => expect(await post(port, body)).toMatchObject({ status: 503 }), 10_000);
    const agent = new Agent({ keepAlive: true, maxSockets: 64 });
    onTestFinished(() => agent.destroy());
    const storm = { isOver: false, refused: 0 };
    const senders = Array.from({ length: 64 }, async () => {
      while (!storm.isOver) if ((await post(port, body, {}, agent)).status === 503) storm.refused++;
    });
    const times: number[] = [];
    while (times.length < 100) {
      const before = performance.now();
      expect(await ask(port, 'GET', '/ping')).toMatchObject({ status: 200 });
      times.push(performance.now() - before);
    }
    await vi.waitFor(() => expect(storm.refused).toBeGreaterThan(500), 30_000);
    // A machine that does other things at the time may hold up one or the other.
    expect(times.filter((ms) => ms < 100).length).toBeGreaterThanOrEqual(95);
    full();
    await vi.waitFor(async () => expect(await post(port, body)).toMatchObject({ status: 200 }), 10_000);
    storm.isOver = true;
    await Promise.all(senders);
    const { published, lines } = await end();
    expect(published).toBeGreaterThan(0);
    expect(lines).toBeLessThan(10);
  }, 60_000);

  it('takes little memory for bombs, large bodies, hostile ones and slow senders', async () => {
    const { port, peakMB, end } = await started();
    const atStartMB = peakMB();
    const { hostile, large } = hostileBodies(new Random(1));
    const bomb = Buffer.concat(Array<Buffer>(64).fill(gzipSync(Buffer.alloc(1024 * 1024, 0x20))));
    const records = Array.from({ length: 10_000 }, (_, index) => ({
      ...record(`${index}`),
      x: 'y'.repeat(300),
    }));
    const full = gzipSync(messageOf(...records));
    const packed = { 'content-encoding': 'gzip' };
    const slow = await Promise.all(
      Array.from({ length: 50 }, () =>
        tcp(port, headOf([WITH_TOKEN, 'Content-Length: 1000000']) + ' '.repeat(100_000)),
      ),
    );
    const statuses: Record<number, number> = {};
    const sender = async (): Promise<void> => {
      for (let count = 0; count < 300; count++) {
        const [body, headers] =
          count % 60 === 0
            ? [bomb, packed]
            : count % 60 === 20
              ? [full, packed]
              : count % 60 === 40
                ? [large()]
                : [hostile()];
        const { status } = await post(port, body, headers);
        statuses[status] = (statuses[status] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: 16 }, sender));
    for (const socket of slow) socket.destroy();
    expect(statuses[200]).toBeGreaterThan(500);
    expect(statuses[413]).toBeGreaterThanOrEqual(80);
    // Built, a process begins with 68 MB, so that 150 are not reached; one that runs TypeScript itself begins with more.
    expect(peakMB() - atStartMB).toBeLessThan(MAX_GROWTH_MB);
    const { published } = await end();
    expect(published).toBeGreaterThanOrEqual(10_000);
  }, 120_000);
});
