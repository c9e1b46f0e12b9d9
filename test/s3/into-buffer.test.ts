import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import * as fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readAnswerHead } from '../../src/s3/quick/answer-head.ts';
import { IntoBuffer } from '../../src/s3/quick/into-buffer.ts';

const BODY = Buffer.from('0123456789');
const HEAD = 'HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\nETag: "e"\r\n\r\n';
const WHOLE = HEAD + BODY.toString();

describe('bytes that a server sends', () => {
  it('come into the buffer, request after request, over one connection', async () => {
    const { open, connections } = await serve((socket) => void socket.write(WHOLE));
    const connection = open();
    for (let i = 0; i < 3; i++) {
      const into = Buffer.alloc(10);
      const coming = await connection.ask('GET', ({ status }) => (status === 206 ? into : undefined));
      await coming?.full;
      expect(into.toString()).toBe(BODY.toString());
    }
    expect(connections()).toBe(1);
    expect(connection.isIdle).toBe(true);
  });

  it('may come in any pieces', async () => {
    let cuts: readonly number[] = [];
    const { open } = await serve((socket) => void inPieces(socket, cuts));
    const connection = open();
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.integer({ min: 1, max: WHOLE.length - 1 })), async (at) => {
        cuts = at;
        const into = Buffer.alloc(10);
        const coming = await connection.ask('GET', () => into);
        await coming?.full;
        expect(into.toString()).toBe(BODY.toString());
      }),
    );
  });

  it.each([
    ['another length', HEAD.replace('10', '11')],
    ['two lengths', HEAD.replace('10', '10\r\nContent-Length: 10')],
    ['no length', HEAD.replace('Content-Length: 10\r\n', '')],
    ['chunks', HEAD.replace('ETag', 'Transfer-Encoding: chunked\r\nETag')],
    ['a word before the answer', `HTTP/1.1 100 Continue\r\n\r\n${HEAD}`],
    ['an older protocol', HEAD.replace('1.1', '1.0')],
    ['a folded line', HEAD.replace('ETag', 'X: 1\r\n 2\r\nETag')],
    ['a name with a blank', HEAD.replace('ETag:', 'ETag :')],
    ['a line that ends otherwise', HEAD.replace('10\r\n', '10\n')],
    ['a head without end', `HTTP/1.1 206 OK\r\nX: ${'x'.repeat(20_000)}`],
    ['no HTTP', 'SSH-2.0-OpenSSH\r\n\r\n'],
    ['nothing', ''],
    ['what is not wanted', HEAD.replace('206', '200')],
    ['more bytes than are announced', `${HEAD}${BODY.toString()}!`],
  ])('are left to others: %s', async (_, answer) => {
    const { open } = await serve((socket) => void socket.end(answer));
    const connection = open();
    const into = Buffer.alloc(10);
    const coming = await connection.ask('GET', ({ status }) => (status === 200 ? undefined : into));
    expect(coming).toBeUndefined();
    expect(connection.isIdle).toBe(false);
    expect(into.every((byte) => byte === 0)).toBe(true);
  });

  it.each([
    ['of an empty object', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['of what has not changed', 'HTTP/1.1 304 Not Modified\r\nETag: "e"\r\n\r\n'],
    ['of what has not changed, with its length', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n'],
  ])('may be none: %s', async (_, answer) => {
    const { open, connections } = await serve((socket) => void socket.write(answer));
    const connection = open();
    for (let i = 0; i < 2; i++) {
      const coming = await connection.ask('GET', () => Buffer.alloc(0));
      expect(coming).toBeDefined();
      await coming?.full;
    }
    expect(connections()).toBe(1);
  });

  it('go to a place that the head tells the size of', async () => {
    const { open } = await serve((socket) => void socket.write(WHOLE));
    const places: Buffer[] = [];
    const coming = await open().ask('GET', ({ headers }) => {
      places.push(Buffer.alloc(Number(headers.get('content-length'))));
      return places[0];
    });
    await coming?.full;
    expect(places.map(String)).toEqual([BODY.toString()]);
  });

  it('that are cut are told, and nothing comes after that', async () => {
    const { open } = await serve((socket) => void socket.end(HEAD + BODY.toString('latin1', 0, 4)));
    const into = Buffer.alloc(10);
    const coming = await open().ask('GET', () => into);
    await expect(coming?.full).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(into.subarray(4).every((byte) => byte === 0)).toBe(true);
  });

  it.each([
    ['before the head', '', 'no answer'],
    ['in the head', HEAD.slice(0, 20), 'no answer'],
    ['in the body', HEAD + BODY.toString('latin1', 0, 4), 'ETIMEDOUT'],
  ])('that stand still %s are given up', async (_, answer, end) => {
    const { open } = await serve((socket) => void socket.write(answer));
    const connection = open({ answerMs: end === 'ETIMEDOUT' ? 60_000 : 100, bodyMs: 100 });
    const coming = await connection.ask('GET', () => Buffer.alloc(10));
    const told = await coming?.full.catch((error: NodeJS.ErrnoException) => error.code);
    expect(coming === undefined ? 'no answer' : told).toBe(end);
    expect(connection.isIdle).toBe(false);
  });

  it('that nobody has asked for end the connection', async () => {
    const { open, say } = await serve((socket) => void socket.write(WHOLE));
    const connection = open();
    const coming = await connection.ask('GET', () => Buffer.alloc(10));
    await coming?.full;
    say(WHOLE);
    await expect.poll(() => connection.isIdle).toBe(false);
    expect(await connection.ask('GET', () => Buffer.alloc(10))).toBeUndefined();
  });

  it('come no more once the connection is closed', async () => {
    const { open, say } = await serve((socket) => void socket.write(HEAD + BODY.toString('latin1', 0, 4)));
    const connection = open();
    const into = Buffer.alloc(10);
    const coming = await connection.ask('GET', () => into);
    connection.close();
    await expect(coming?.full).rejects.toMatchObject({ code: 'ECONNRESET' });
    const before = Buffer.from(into);
    say(BODY.toString('latin1', 4));
    for (let i = 0; i < 20; i++) await turn();
    expect(into.equals(before)).toBe(true);
  });

  it('of an answer that is the last one close the connection', async () => {
    const { open } = await serve((socket) => {
      socket.write(WHOLE.replace('ETag', 'Connection: close\r\nETag'));
    });
    const connection = open();
    const coming = await connection.ask('GET', () => Buffer.alloc(10));
    await coming?.full;
    expect(connection.isIdle).toBe(false);
  });
});

it('a head of any bytes is read, or is none', () => {
  const heads = fc.uint8Array({ maxLength: 200 }).chain((bytes) => {
    const text = Buffer.from(bytes).toString('latin1');
    return fc.constantFrom(text, `HTTP/1.1 206 \r\n${text}`, `HTTP/1.1 206 \r\nx:${text}`);
  });
  const names = (text: string) => [...(readAnswerHead(text)?.headers.keys() ?? [])];
  const check = () =>
    fc.assert(fc.property(heads, (text) => names(text).every((name) => /^[!-9;-~]+$/.test(name))));
  expect(check).not.toThrow();
});

it('a head has its values without the blanks around them, and a line of blanks alone takes no longer to refuse', () => {
  const valueOf = (line: string) => readAnswerHead(`HTTP/1.1 200 OK\r\n${line}`)?.headers.get('a');
  expect(['a:', 'a: \t ', 'a: b\tc \t', 'a:\xa0'].map(valueOf)).toEqual(['', '', 'b\tc', '\xa0']);
  const blanks = ' '.repeat(16_000);
  expect(valueOf(`a:${blanks}b${blanks}`)).toBe('b');
  // Where each way to share the blanks out was tried, this took minutes.
  expect(valueOf(`a:${blanks}\x7f`)).toBeUndefined();
});

/** A server that answers each piece of a request so. */
async function serve(answer: (socket: Socket) => void) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', () => answer(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const opened: IntoBuffer[] = [];
  onTestFinished(async () => {
    for (const connection of opened) connection.close();
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  const endpoint = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return {
    open: (...patience: [{ answerMs: number; bodyMs: number }?]) => {
      const connection = new IntoBuffer({ endpoint, ca: undefined }, ...patience);
      opened.push(connection);
      return connection;
    },
    connections: () => sockets.length,
    say: (text: string) => {
      for (const socket of sockets) socket.write(text);
    },
  };
}

async function inPieces(socket: Socket, cuts: readonly number[]): Promise<void> {
  socket.setNoDelay(true);
  let from = 0;
  for (const cut of [...cuts.toSorted((a, b) => a - b), WHOLE.length]) {
    socket.write(WHOLE.slice(from, cut));
    from = cut;
    await turn();
  }
}
