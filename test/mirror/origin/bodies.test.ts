import { describe, expect, it } from 'vitest';
import {
  bytesOnly,
  chunked,
  closeDelimited,
  cutAfter,
  headOf,
  longer,
  never,
  type OriginReply,
  shorter,
  slow,
  stuckAfter,
  whole,
  wrongMd5,
} from '../../../harness/hostile-origin.ts';
import { ask, found, originOf, textOf, timeouts } from './origins.ts';

describe('a body that is not whole', () => {
  const BODY = 'x'.repeat(200);

  it.each([
    [{}, false],
    [{}, true],
    [{ Connection: 'close' }, false],
    [{ Connection: 'close' }, true],
  ])('fails wherever it is cut: %o, reset: %s', async (headers, reset) => {
    const { server, origin } = await originOf(never);
    const content = 'x'.repeat(40);
    const all = headOf('200 OK', { 'Content-Length': 40, ...headers }).length + content.length;
    for (let bytes = 0; bytes < all; bytes++) {
      server.reply = cutAfter(bytes, content, headers, reset);
      await expect(found(origin).then(textOf)).rejects.toMatchObject({ name: 'OriginError', status: 502 });
    }
    server.reply = cutAfter(all, content, headers);
    expect(await textOf(await found(origin))).toBe(content);
  });

  it.each<[string, OriginReply]>([
    ['shorter than it says', shorter(BODY, 300)],
    ['shorter than it says, told to end', shorter(BODY, 300, { Connection: 'close' })],
    ['longer than it says', longer(BODY, 'more')],
    ['longer than it says, on a connection that stays', longer(BODY, 'more', {}, true)],
    ['longer than it says, told to end', longer(BODY, 'more', { Connection: 'close' })],
    ['longer than it says, as another answer', longer(BODY, 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')],
    ['in chunks without the last', chunked([BODY, BODY], { cut: true })],
    [
      'in chunks without the last, told to end',
      chunked([BODY], { cut: true, headers: { Connection: 'close' } }),
    ],
    ['not the bytes of its Content-MD5', wrongMd5(BODY)],
    ['with a Content-MD5 that is none', whole(BODY, { 'Content-MD5': 'x' })],
  ])('%s: 502, and the origin is not away', async (_, reply) => {
    const { origin } = await originOf(reply);
    const object = await found(origin);
    expect(object.notKept).toBeUndefined();
    await expect(textOf(object)).rejects.toMatchObject({ name: 'OriginError', status: 502, isAway: false });
  });

  it('is told from one behind other heads', async () => {
    const text = `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab`;
    const { origin } = await originOf(bytesOnly(text));
    expect(await textOf(await found(origin))).toBe('ab');
  });

  it.each([
    ['', 1],
    ['X-Note: 200 OK\r\n', 1],
    ['', 1_000],
  ])('is told from one behind a 100 that nobody has asked for (%j, %d times)', async (header, times) => {
    const text = `HTTP/1.1 100 Continue\r\n${header}\r\n`.repeat(times);
    const reply: OriginReply = (socket) =>
      void socket.write(`${text}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab`);
    const { server, origin } = await originOf(reply);
    for (let i = 0; i < 3; i++) expect(await textOf(await found(origin))).toBe('ab');
    expect(server.connections).toBe(1);
  });

  it('is told from one behind a 100 wherever the pieces of the heads end, and its length is measured', async () => {
    const text =
      'HTTP/1.1 100 \r\n\r\nHTTP/1.1 103 X\r\n\r\nHTTP/1.0 100\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab';
    const { server, origin } = await originOf(never);
    for (let at = 1; at < text.length; at += 1) {
      server.reply = (socket) => {
        socket.setNoDelay(true);
        socket.write(text.slice(0, at), () => setImmediate(() => socket.write(text.slice(at))));
      };
      expect(await textOf(await found(origin))).toBe('ab');
    }
    server.reply = (socket) => void socket.write(`${text}c`);
    await expect(textOf(await found(origin))).rejects.toMatchObject({ status: 502 });
  });

  it.each(['HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 100 Cont', 'HTTP/1'])(
    'is none where all that comes is %j',
    async (text) => {
      const { origin } = await originOf(bytesOnly(text));
      await expect(ask(origin)).rejects.toMatchObject({ name: 'OriginError', status: 502 });
    },
  );

  it('is measured right wherever the pieces of its head end', async () => {
    const text = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab';
    const { server, origin } = await originOf(never);
    for (let at = 1; at < text.length; at += 1) {
      server.reply = (socket) => {
        socket.setNoDelay(true);
        socket.write(text.slice(0, at), () => setImmediate(() => socket.write(text.slice(at))));
      };
      expect(await textOf(await found(origin))).toBe('ab');
    }
  });
});

describe('a body that is passed on, but never kept', () => {
  it('ends with the connection', async () => {
    const { origin } = await originOf(closeDelimited('content'));
    using object = await found(origin);
    expect(object.notKept).toMatch(/ends with the connection/);
    expect(await textOf(object)).toBe('content');
  });

  it('ends with the connection, of HTTP/1.0 and of a coding that is none', async () => {
    for (const head of [
      'HTTP/1.0 200 OK\r\n\r\n',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n',
    ]) {
      const { origin } = await originOf(bytesOnly(`${head}content`));
      expect((await found(origin)).notKept).toBeDefined();
    }
  });

  it('has a type that the rule does not take, such as a page that tells of an error', async () => {
    const { server, origin } = await originOf(whole('<p>no', { 'Content-Type': 'text/HTML; charset=x' }), {
      takesType: (type) => type === 'image/png',
    });
    expect((await found(origin, 'a.png')).notKept).toBe('the rule takes no text/html');
    server.reply = whole('x', { 'Content-Type': 'image/PNG' });
    expect((await found(origin)).notKept).toBeUndefined();
    server.reply = whole('x');
    expect((await found(origin, 'a.png')).notKept).toBeUndefined();
    expect((await found(origin, 'a')).notKept).toBe('the rule takes no application/octet-stream');
  });

  it('has longer headers than S3 takes', async () => {
    const { origin } = await originOf(whole('x', { 'Cache-Control': 'a'.repeat(5000) }));
    expect((await found(origin)).notKept).toMatch(/headers/);
  });
});

describe('an object over maxSize', () => {
  it('is refused by what is announced', async () => {
    const { origin } = await originOf(whole('12345'), { maxSize: 4 });
    await expect(ask(origin)).rejects.toMatchObject({ status: 302 });
    await expect(ask(origin, 'f', 'HEAD')).rejects.toMatchObject({ status: 302 });
  });

  it('is refused when its bytes come', async () => {
    const { origin } = await originOf(chunked(['123', '45']), { maxSize: 4 });
    await expect(found(origin).then(textOf)).rejects.toMatchObject({ status: 302, isAway: false });
    const { origin: enough } = await originOf(chunked(['123', '45']), { maxSize: 5 });
    expect(await textOf(await found(enough))).toBe('12345');
  });

  it('is not read: 10 GiB', async () => {
    const { origin } = await originOf(shorter('x', 10 * 2 ** 30), { maxSize: 2 ** 30 });
    await expect(ask(origin)).rejects.toMatchObject({ status: 302 });
  });
});

describe('a timeout', () => {
  it('of the head: 504, and the origin is away', async () => {
    const { origin } = await originOf(never, { timeouts: timeouts({ connect: 50, firstByte: 50 }) });
    await expect(ask(origin)).rejects.toMatchObject({ status: 504, isAway: true });
  });

  it('of the head, however many others come before it', async () => {
    const reply: OriginReply = (socket) => {
      const timer = setInterval(() => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'), 10);
      socket.on('close', () => clearInterval(timer));
    };
    const { origin } = await originOf(reply, { timeouts: timeouts({ connect: 100, firstByte: 100 }) });
    await expect(ask(origin)).rejects.toMatchObject({ status: 504 });
  });

  it('between two pieces: 504, and the origin is away', async () => {
    const { origin } = await originOf(stuckAfter(2, 'content'), { timeouts: timeouts({ idle: 100 }) });
    await expect(found(origin).then(textOf)).rejects.toMatchObject({ status: 504, isAway: true });
  });

  it('of it all: 504, and the origin is just slow', async () => {
    const { origin } = await originOf(slow('x'.repeat(100_000), { bytes: 1, ms: 10 }), {
      timeouts: timeouts({ total: 800 }),
    });
    await expect(found(origin).then(textOf)).rejects.toMatchObject({ status: 504, isAway: false });
  });

  it('does not count the time of whoever reads', async () => {
    const { origin } = await originOf(whole('x'.repeat(2_000_000)), { timeouts: timeouts({ idle: 600 }) });
    using object = await found(origin);
    let size = 0;
    for await (const piece of object.bytes) {
      if (size === 0) await new Promise((resolve) => setTimeout(resolve, 1200));
      size += piece.length;
    }
    expect(size).toBe(2_000_000);
  });
});

describe('whoever asked', () => {
  it('leaves before the head', async () => {
    const { server, origin } = await originOf(never);
    const leaving = new AbortController();
    const asked = ask(origin, 'f', 'GET', undefined, leaving.signal);
    await expect.poll(() => server.asked.length).toBe(1);
    leaving.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
    await expect(ask(origin, 'f', 'GET', undefined, leaving.signal)).rejects.toThrow('enough');
    expect(server.asked).toHaveLength(1);
  });

  it('leaves within the body, and the connection ends', async () => {
    const { server, origin } = await originOf(stuckAfter(2, 'content'));
    const leaving = new AbortController();
    const answer = await ask(origin, 'f', 'GET', undefined, leaving.signal);
    if (answer.kind !== 'found') throw new Error(answer.kind);
    const read = textOf(answer);
    leaving.abort(new Error('enough'));
    await expect(read).rejects.toThrow('enough');
    server.reply = whole('next');
    expect(await textOf(await found(origin))).toBe('next');
    expect(server.connections).toBe(2);
  });

  it('does not want the body', async () => {
    const { server, origin } = await originOf(stuckAfter(2, 'content'));
    const object = await found(origin);
    object[Symbol.dispose]();
    object[Symbol.dispose]();
    server.reply = whole('next');
    expect(await textOf(await found(origin))).toBe('next');
  });

  it('stops reading', async () => {
    const { server, origin } = await originOf(whole('x'.repeat(5_000_000)));
    // oxlint-disable-next-line no-unreachable-loop
    for await (const _ of (await found(origin)).bytes) break;
    server.reply = whole('next');
    expect(await textOf(await found(origin))).toBe('next');
  });
});
