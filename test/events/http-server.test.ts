import { once } from 'node:events';
import { Agent } from 'node:http';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { startWebhook, type StartWebhookOptions } from '../../src/events/http/start-webhook.ts';
import { ask, headOf, isClosed, post, tcp, WITH_TOKEN } from './http-client.ts';
import { Kept, messageOf, record } from './http-support.ts';

async function serve(options: Partial<StartWebhookOptions> = {}, kept = new Kept()) {
  const server = await startWebhook({ ...kept.options(), port: 0, address: '127.0.0.1', ...options });
  onTestFinished(() => server[Symbol.asyncDispose]());
  return { kept, server, port: server.port };
}

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
    await vi.waitFor(
      () => expect(idle.filter(({ closed }) => closed).length).toBeGreaterThanOrEqual(7),
      60_000,
    );
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
    await vi.waitFor(() => expect(asked).toHaveBeenCalledTimes(10), 60_000);
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
