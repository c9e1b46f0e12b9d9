import { describe, expect, it } from 'vitest';
import { parseNetworks } from '../../src/events/http/networks.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { asking, Kept, messageOf, record, TOKEN } from './http-support.ts';

const SECRET = 'a-secret-in-the-path';

describe('who may post', () => {
  const NETWORKS = parseNetworks(['192.0.2.0/24', '2001:db8::/32']);

  it.each([
    ['a bearer token', { token: TOKEN }, { authorization: `Bearer ${TOKEN}` }],
    ['a bearer token in another case', { token: TOKEN }, { authorization: `bearer  ${TOKEN} ` }],
    ['the token alone, as MinIO sends it', { token: TOKEN }, { authorization: TOKEN }],
    ['a token that says its own scheme', { token: 'Basic abc' }, { authorization: 'Basic abc' }],
  ])('whoever brings %s', async (_, access, headers) => {
    const answered = await asking(new Kept().options({ access }))({ headers, body: messageOf(record()) });
    expect(answered).toMatchObject({ status: 200, isAdmitted: true });
  });

  it.each([
    ['nothing', undefined],
    ['an empty token', ''],
    ['an empty bearer token', 'Bearer '],
    ['a part of the token', `Bearer ${TOKEN.slice(1)}`],
    ['the token and more', `Bearer ${TOKEN}, Bearer x`],
    ['another scheme', `Basic ${TOKEN}`],
  ])('not whoever brings %s, and nothing of the body is read', async (_, authorization) => {
    const kept = new Kept();
    const answered = await asking(kept.options())({ headers: { authorization }, body: messageOf(record()) });
    expect(answered).toMatchObject({ status: 401, isRead: false, isAdmitted: false });
    expect(answered.headers['www-authenticate']).toBe('Bearer');
    expect(kept.published).toEqual([]);
  });

  it('whoever knows the secret path, which no line of log shows', async () => {
    const kept = new Kept();
    const ask = asking(kept.options({ access: { secretPath: SECRET } }));
    const body = messageOf(record());
    const good = { target: `/webhook/${SECRET}`, body, headers: { authorization: undefined } };
    expect(await ask(good)).toMatchObject({ status: 200 });
    expect(await ask({ ...good, target: `/webhook/${SECRET}?x=1` })).toMatchObject({ status: 200 });
    expect(await ask({ ...good, method: 'HEAD' })).toMatchObject({ status: 200 });
    for (const path of [
      '/webhook',
      '/webhook/',
      `/webhook/${SECRET}/`,
      `/webhook/${SECRET}x`,
      '/webhook/%61',
    ])
      expect(await ask({ ...good, target: path })).toMatchObject({ status: 401, isRead: false });
    expect(await ask({ ...good, method: 'GET', target: '/webhook/x' })).toMatchObject({ status: 401 });
    // What fails there does not show it either.
    kept.trouble = new IsyncError('STORE_FULL', 'no room');
    expect(await ask(good)).toMatchObject({ status: 503 });
    expect((await ask({ ...good, body: '{' })).status).not.toBe(200);
    expect(kept.log.lines.length).toBeGreaterThan(0);
    expect(JSON.stringify(kept.log.lines)).not.toContain(SECRET);
  });

  it.each([
    ['192.0.2.7', 200],
    ['::ffff:192.0.2.7', 200],
    ['2001:db8::7', 200],
    ['192.0.3.7', 401],
    ['2001:db9::7', 401],
    ['', 401],
  ])('whoever comes from a network that is named: %s', async (remoteAddress, status) => {
    const ask = asking(new Kept().options({ access: { networks: NETWORKS } }));
    const headers = { authorization: undefined };
    expect(await ask({ remoteAddress, headers, body: messageOf(record()) })).toMatchObject({ status });
  });

  it.each([
    ['10.0.0.1', '192.0.2.7', 200],
    ['10.0.0.1', '192.0.2.7, 10.0.0.2', 200],
    ['10.0.0.1', '192.0.2.7:5000, 10.0.0.2', 200],
    ['10.0.0.1', '[2001:db8::7]:5000', 200],
    ['10.0.0.1', '192.0.2.7, 198.51.100.1', 401],
    ['10.0.0.1', '192.0.2.7, unknown', 401],
    ['10.0.0.1', '', 401],
    ['198.51.100.1', '192.0.2.7', 401],
    ['192.0.2.7', '198.51.100.1', 200],
  ])('at %s, for %s: %d', async (remoteAddress, forwarded, status) => {
    const ask = asking(
      new Kept().options({ access: { networks: NETWORKS }, trustedProxies: parseNetworks(['10.0.0.0/8']) }),
    );
    const headers = { authorization: undefined, 'x-forwarded-for': forwarded };
    expect(await ask({ remoteAddress, headers, body: messageOf(record()) })).toMatchObject({ status });
  });

  it('one way suffices', async () => {
    const ask = asking(
      new Kept().options({
        access: { token: TOKEN, secretPath: SECRET, networks: parseNetworks(['10.0.0.1']) },
      }),
    );
    const body = messageOf(record());
    const authorization = undefined;
    expect(await ask({ body })).toMatchObject({ status: 200 });
    expect(await ask({ body, headers: { authorization }, remoteAddress: '10.0.0.1' })).toMatchObject({
      status: 200,
    });
    expect(await ask({ body, headers: { authorization }, target: `/webhook/${SECRET}` })).toMatchObject({
      status: 200,
    });
    expect(await ask({ body, headers: { authorization } })).toMatchObject({ status: 401 });
  });

  it('anybody, where nothing says who; but no page in a browser', async () => {
    const ask = asking(new Kept().options({ access: {} }));
    const body = messageOf(record());
    expect(await ask({ body, headers: { authorization: undefined } })).toMatchObject({ status: 200 });
    expect(await ask({ body, headers: { origin: 'https://evil.example' } })).toMatchObject({ status: 401 });
  });

  it('a flood of refusals gets 429 and some lines of log, and an honest sender beside it is served', async () => {
    const kept = new Kept();
    const ask = asking(kept.options());
    const statuses: number[] = [];
    for (let index = 0; index < 200; index++)
      statuses.push((await ask({ headers: { authorization: `Bearer ${index}` } })).status);
    expect(statuses.slice(0, 20)).toEqual(Array(20).fill(401));
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(100);
    expect(await ask({ body: messageOf(record()) })).toMatchObject({ status: 200 });
    expect(kept.log.at('warn').length).toBeLessThan(5);
  });

  it.each(['10.0.0.0/33', '10.0.0', 'x', '::1/129', '10.0.0.0/8/8', ''])('%j is no network', (text) => {
    expect(() => parseNetworks([text])).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});
