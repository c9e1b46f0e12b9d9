import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { describe, expect, it } from 'vitest';
import { isSameServer, nextHop } from '../../../src/mirror/origin/http/redirect.ts';
import { redirect, refusal, whole } from '../../../harness/hostile-origin.ts';
import { ask, found, hostile, originAt, originOf, textOf, timeouts } from './origins.ts';

/** Every name is where `addressOf` says, however it is asked. */
function lookupAs(addressOf: (host: string) => string | readonly string[]): LookupFunction {
  return (host, options, callback) => {
    const all = [addressOf(host)].flat();
    const found: LookupAddress[] = all.map((address) => ({ address, family: isIP(address) }));
    if (options.all === true) callback(null, found);
    else callback(null, found[0]!.address, found[0]!.family);
  };
}

describe('a redirect', () => {
  it('is followed, also to another host, relative or not', async () => {
    const other = await hostile(whole('there'), '127.0.0.2');
    const { server, origin } = await originOf((socket, asked) => {
      const reply = asked.target === '/f' ? redirect('b/../c?d', 301) : redirect(`${other.url}/x?y#z`, 307);
      return reply(socket, asked);
    });
    expect(await textOf(await found(origin))).toBe('there');
    expect(server.asked.map(({ target }) => target)).toEqual(['/f', '/c?d']);
    expect(other.asked.map(({ target }) => target)).toEqual(['/x?y']);
  });

  it('is followed by HEAD with HEAD', async () => {
    const other = await hostile(whole('there'), '127.0.0.2');
    const { origin } = await originOf(redirect(`${other.url}/x`, 303));
    expect((await found(origin, 'f', 'HEAD')).size).toBe(5);
    expect(other.asked.map(({ method }) => method)).toEqual(['HEAD']);
  });

  it('may lead to where there is no object', async () => {
    const other = await hostile(refusal(404), '127.0.0.2');
    const { origin } = await originOf(redirect(`${other.url}/x`));
    expect(await ask(origin)).toEqual({ kind: 'absent' });
  });

  it('is followed three times', async () => {
    const { server, origin } = await originOf((socket, asked) => {
      const hops = Number(asked.target.slice(1));
      return (hops > 0 ? redirect(`/${hops - 1}`) : whole('there'))(socket, asked);
    });
    expect(await textOf(await found(origin, '3'))).toBe('there');
    expect(server.asked).toHaveLength(4);
    await expect(ask(origin, '4')).rejects.toMatchObject({ name: 'OriginError', status: 502, isAway: false });
    expect(server.asked).toHaveLength(8);
  });

  it('takes secrets to the same server alone', async () => {
    const other = await hostile(whole('there'), '127.0.0.2');
    const { server, origin } = await originOf(
      (socket, asked) => (asked.target === '/f' ? redirect('/g') : redirect(`${other.url}/x`))(socket, asked),
      { send: { authorization: 'Bearer s', 'x-key': 'k' } },
    );
    await textOf(await found(origin));
    expect(server.asked.map(({ headers }) => headers['authorization'])).toEqual(['Bearer s', 'Bearer s']);
    expect(other.asked[0]?.headers).not.toHaveProperty('authorization');
    expect(other.asked[0]?.headers).not.toHaveProperty('x-key');
    expect(other.asked[0]?.headers).toHaveProperty('via');
  });

  it('takes no secrets back to the same server from another one', async () => {
    const other = await hostile(
      (socket, asked) => redirect(`${server.url}/admin`)(socket, asked),
      '127.0.0.2',
    );
    const { server, origin } = await originOf(
      (socket, asked) => (asked.target === '/f' ? redirect(`${other.url}/x`) : whole('there'))(socket, asked),
      { send: { 'x-key': 'k' } },
    );
    await textOf(await found(origin));
    expect(server.asked.map(({ target, headers }) => [target, headers['x-key']])).toEqual([
      ['/f', 'k'],
      ['/admin', undefined],
    ]);
  });

  it.each([
    ['http://a', 'http://a', true],
    ['http://a', 'https://a', true],
    ['http://a:8080', 'http://a:8080', true],
    ['http://a:8080', 'https://a:8080', false],
    ['http://a', 'https://a:8443', false],
    ['http://a', 'http://a:81', false],
    ['http://a', 'https://b', false],
    ['https://a', 'http://a', false],
    ['http://a', 'https://a.b', false],
  ])('%s and %s are one server: %s', (base, to, isSame) => {
    expect(isSameServer(base, to)).toBe(isSame);
  });

  it('takes no secrets to another port', async () => {
    const other = await hostile(whole('there'));
    const { origin } = await originOf(redirect(`${other.url}/x`), { send: { 'x-key': 'k' } });
    await textOf(await found(origin));
    expect(other.asked[0]?.headers).not.toHaveProperty('x-key');
  });

  it.each([
    ['nowhere', undefined],
    ['what is no URL', 'http://[::'],
    ['a file', 'file:///etc/passwd'],
    ['a script', 'javascript:alert(1)'],
    ['a password', 'http://user:word@old.example/'],
  ])('to %s is not followed', (_, location) => {
    expect(() => nextHop('o', { origin: 'http://old.example', path: '/' }, location)).toThrow(
      /^o redirects /,
    );
  });

  it('never goes from https to http', () => {
    const from = { origin: 'https://old.example', path: '/a' };
    expect(() => nextHop('o', from, 'http://old.example/')).toThrow('https to http');
    expect(nextHop('o', from, '//other.example/b')).toEqual({ origin: 'https://other.example', path: '/b' });
    expect(nextHop('o', { origin: 'http://a', path: '/' }, 'https://a/')).toEqual({
      origin: 'https://a',
      path: '/',
    });
  });
});

describe('an address that is none of the Internet', () => {
  it.each([
    ['127.0.0.1'],
    ['0x7f.1'],
    ['2130706433'],
    ['0177.0.0.1'],
    ['127.1'],
    ['[::1]'],
    ['[::ffff:127.0.0.1]'],
    ['[64:ff9b::127.0.0.1]'],
    ['[2002:7f00:1::1]'],
    ['0.0.0.0'],
    ['localhost'],
  ])('%s is not connected to', async (host) => {
    const server = await hostile(whole('secret'));
    const origin = originAt(`http://${host}:${server.port}/`, { allowPrivate: false });
    await expect(ask(origin)).rejects.toMatchObject({
      name: 'OriginError',
      status: 502,
      isAway: false,
      message: expect.stringMatching(/no address on the Internet; .*"allowPrivate: true"/),
    });
    expect(server.connections).toBe(0);
  });

  it.each([
    ['http://169.254.169.254/latest/meta-data/'],
    ['http://[::ffff:169.254.169.254]/'],
    ['http://[fd00:ec2::254]/'],
    ['http://0xa9fea9fe/'],
    ['http://0.0.0.0/'],
  ])('a redirect to %s is not followed, private or not', async (to) => {
    const { origin } = await originOf(redirect(to));
    await expect(ask(origin)).rejects.toMatchObject({ status: 502, isAway: false });
  });

  // 127.0.0.2 stands for an address on the Internet here, and every other one for itself.
  const mayConnect = (address: string) => address === '127.0.0.2';

  it.each([
    ['http://127.0.0.1:PORT/'],
    ['http://0x7f.1:PORT/'],
    ['http://[::ffff:127.0.0.1]:PORT/'],
    ['http://localhost:PORT/'],
  ])('a redirect to %s is not followed', async (to) => {
    const inner = await hostile(whole('secret'));
    const outer = await hostile(redirect(to.replace('PORT', String(inner.port))), '127.0.0.2');
    const origin = originAt(`${outer.url}/`, { allowPrivate: false }, { mayConnect });
    await expect(ask(origin)).rejects.toMatchObject({ status: 502, isAway: false });
    expect(outer.asked).toHaveLength(1);
    expect(inner.connections).toBe(0);
  });

  it('is found in the very look-up that is connected to, whatever the name has been before', async () => {
    const inner = await hostile(whole('secret'));
    const outer = await hostile(whole('public', { Connection: 'close' }), '127.0.0.2');
    let address = '127.0.0.2';
    const lookup = lookupAs(() => address);
    const options = { mayConnect, lookup };
    const origin = originAt(`http://old.example:${outer.port}/`, { allowPrivate: false }, options);
    expect(await textOf(await found(origin))).toBe('public');
    address = '127.0.0.1';
    await expect(ask(origin)).rejects.toMatchObject({ status: 502, isAway: false });

    const rebound = originAt(`http://old.example:${inner.port}/`, { allowPrivate: false }, options);
    await expect(ask(rebound)).rejects.toMatchObject({ status: 502, isAway: false });
    expect(inner.connections).toBe(0);
  });

  it('is left out where a name has others', async () => {
    const outer = await hostile(whole('public'), '127.0.0.2');
    const lookup = lookupAs(() => ['127.0.0.1', '127.0.0.2', '::1']);
    const origin = originAt(`http://old.example:${outer.port}/`, {}, { mayConnect, lookup });
    expect(await textOf(await found(origin))).toBe('public');
  });
});

it('a name that nobody resolves in time: 504, and the origin is away', async () => {
  const origin = originAt(
    'http://old.example/',
    { timeouts: timeouts({ connect: 100, firstByte: 60_000 }) },
    { lookup: () => {} },
  );
  await expect(ask(origin)).rejects.toMatchObject({ status: 504, isAway: true });
});

it('a name that is nowhere: 502, and the origin is away', async () => {
  const lookup: LookupFunction = (host, _, callback) =>
    callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' }), []);
  const origin = originAt('http://old.example/', {}, { lookup });
  await expect(ask(origin)).rejects.toMatchObject({ status: 502, isAway: true });
});
