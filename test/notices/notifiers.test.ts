import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';
import type { NotifyWay } from '../../src/notices/rule.ts';
import type { Notice } from '../../src/notices/notice.ts';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { startForwardProxy } from '../../harness/forward-proxy.ts';
import { runNotice } from '../../src/backup/tell/notices-of.ts';
import { openNotifier } from '../../src/notices/open-notifier.ts';
import { freePort } from '../../harness/free-port.ts';
import { noticeReceiver } from './notice-receiver.ts';
import { RUN } from '../backup/run-record.ts';

const FAILED = {
  ...RUN,
  stage: 'failed',
  error: { code: 'SOURCE_FAILED', message: 'is "empty" <&>' },
} as const;
const NOTICE = runNotice('app_data', FAILED, 'failure');

async function send(way: NotifyWay, notice: Notice = NOTICE, signal = new AbortController().signal) {
  await openNotifier({ name: `notify[0] ${way.type}`, on: new Set(['failure']), way }).send(notice, signal);
}

describe('a webhook', () => {
  it('gets the notice as JSON, with the headers of the config', async () => {
    await using receiver = await noticeReceiver();
    const url = `${receiver.url}/hook?key=1`;
    await send({ type: 'webhook', url, headers: { authorization: 'Bearer x' }, body: undefined });
    const [request] = receiver.received;
    expect(request).toMatchObject({ method: 'POST', headers: { authorization: 'Bearer x' } });
    expect(request?.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(request?.url.search).toBe('?key=1');
    expect(JSON.parse(request?.body ?? '')).toMatchObject({
      job: 'app_data',
      occasion: 'failure',
      run: RUN.id,
      code: 'SOURCE_FAILED',
      error: 'is "empty" <&>',
      bytes: String(RUN.bytes),
    });
  });

  it('is reached through a proxy of the environment', async () => {
    await using receiver = await noticeReceiver();
    await using proxy = await startForwardProxy();
    vi.stubEnv('HTTP_PROXY', proxy.url);
    onTestFinished(() => void vi.unstubAllEnvs());
    const url = receiver.url.replace('127.0.0.1', 'hooks.example');
    await send({ type: 'webhook', url, headers: {}, body: undefined });
    expect(receiver.received).toHaveLength(1);
    expect(proxy.asked.join()).toContain('hooks.example');
  });

  it('gets the body of the config with its fields filled in, which stays JSON', async () => {
    await using receiver = await noticeReceiver();
    const body = '{"summary":"{title}","n":{bytes},"why":["{error}"],"age":"{age}","own":"{unknown}"}';
    await send({ type: 'webhook', url: receiver.url, headers: {}, body });
    expect(JSON.parse(receiver.received[0]?.body ?? '')).toEqual({
      summary: 'isync app_data: backup has failed (SOURCE_FAILED)',
      n: RUN.bytes,
      why: ['is "empty" <&>'],
      age: '',
      own: '{unknown}',
    });
  });

  it('gets what is no JSON as text', async () => {
    await using receiver = await noticeReceiver();
    await send({ type: 'webhook', url: receiver.url, headers: {}, body: 'job={job} {error}' });
    expect(receiver.received[0]?.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(receiver.received[0]?.body).toBe('job=app_data is "empty" <&>');
  });

  it('may ask for user and password', async () => {
    await using receiver = await noticeReceiver();
    const url = receiver.url.replace('http://', 'http://me:p%40ss@');
    await send({ type: 'webhook', url, headers: {}, body: undefined });
    const pair = Buffer.from('me:p@ss').toString('base64');
    expect(receiver.received[0]?.headers.authorization).toBe(`Basic ${pair}`);
  });

  it.each([
    [500, 'it is "down"\n'],
    [404, 'it is "down"\n'],
    [302, ''],
  ])('that answers %d has not taken it; the message has no secret', async (status, said) => {
    await using receiver = await noticeReceiver();
    await using elsewhere = await noticeReceiver();
    receiver.answer = (response) => response.writeHead(status, { location: elsewhere.url }).end(said);
    const failed = send({
      type: 'webhook',
      url: `${receiver.url}/SECRET?SECRET`,
      headers: {},
      body: undefined,
    });
    const why = said === '' ? '' : ': it is "down"';
    await expect(failed).rejects.toMatchObject({
      code: 'NOTICE_FAILED',
      message: `${new URL(receiver.url).host} has answered ${status}${why}`,
    });
    expect(elsewhere.received).toEqual([]);
  });

  it('that nobody serves is not reached, which is told without the secret', async () => {
    const url = `http://127.0.0.1:${await freePort()}/SECRET`;
    const failed = await send({ type: 'webhook', url, headers: {}, body: undefined }).catch(String);
    expect(failed).toContain('ECONNREFUSED');
    expect(failed).not.toContain('SECRET');
  });

  it('that never ends its answer is read no further than needed', async () => {
    await using receiver = await noticeReceiver();
    receiver.answer = (response) => {
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      };
      response.on('drain', more);
      more();
    };
    const sent = send({ type: 'webhook', url: receiver.url, headers: {}, body: undefined });
    await expect(sent).resolves.toBeUndefined();
  });
});

describe('a robot', () => {
  it('of WeCom gets a text that is not too long, and has taken it with errcode 0', async () => {
    await using receiver = await noticeReceiver();
    const url = `${receiver.url}/cgi-bin/webhook/send?key=K`;
    await send({ type: 'wecom', url }, { ...NOTICE, lines: ['数'.repeat(2000)] });
    const { msgtype, text } = JSON.parse(receiver.received[0]?.body ?? '');
    expect(msgtype).toBe('text');
    expect(Buffer.byteLength(text.content)).toBeGreaterThan(2040);
    expect(Buffer.byteLength(text.content)).toBeLessThanOrEqual(2048);
    expect(text.content).toMatch(/^isync app_data: backup has failed \(SOURCE_FAILED\)\n数+…$/u);
  });

  it.each(['wecom', 'dingtalk'] as const)(
    'of %s that answers 200 with another errcode has not',
    async (type) => {
      await using receiver = await noticeReceiver();
      receiver.answer = (response) =>
        response.end(JSON.stringify({ errcode: 310_000, errmsg: 'sign not match' }));
      const failed = send({ type, url: receiver.url, secret: undefined });
      await expect(failed).rejects.toMatchObject({
        code: 'NOTICE_FAILED',
        message: expect.stringContaining('errcode 310000: sign not match'),
      });
      receiver.answer = (response) => response.end('<html>');
      const silent = send({ type, url: receiver.url, secret: undefined });
      await expect(silent).rejects.toMatchObject({ code: 'NOTICE_FAILED' });
    },
  );

  it('of DingTalk gets a signature of now', async () => {
    await using receiver = await noticeReceiver();
    const before = Date.now();
    await send({ type: 'dingtalk', url: `${receiver.url}/robot/send?access_token=T`, secret: 'SEC+/1' });
    const { searchParams } = receiver.received[0]!.url;
    const timestamp = searchParams.get('timestamp');
    expect(Number(timestamp)).toBeGreaterThanOrEqual(before);
    expect(searchParams.get('access_token')).toBe('T');
    const sign = createHmac('sha256', 'SEC+/1').update(`${timestamp}\nSEC+/1`).digest('base64');
    expect(searchParams.get('sign')).toBe(sign);
  });

  it('of Slack gets no markup that an error has in it', async () => {
    await using receiver = await noticeReceiver();
    receiver.answer = (response) => response.end('ok');
    await send({ type: 'slack', url: receiver.url });
    expect(JSON.parse(receiver.received[0]?.body ?? '').text).toContain('Error: is "empty" &lt;&amp;&gt;');
  });
});

describe('a ping', () => {
  it('tells of start and end of a run by its id', async () => {
    await using receiver = await noticeReceiver();
    const way = { type: 'ping', url: `${receiver.url}/ping/uuid/` } as const;
    for (const occasion of ['start', 'success', 'problems', 'failure'] as const)
      await send(way, runNotice('app_data', RUN, occasion));
    expect(receiver.received.map(({ url }) => `${url.pathname}${url.search}`)).toEqual([
      `/ping/uuid/start?rid=${RUN.id}`,
      `/ping/uuid?rid=${RUN.id}`,
      `/ping/uuid/fail?rid=${RUN.id}`,
      `/ping/uuid/fail?rid=${RUN.id}`,
    ]);
  });
});

describe('a mail', () => {
  async function mailServer(options: ConstructorParameters<typeof SMTPServer>[0] = {}) {
    const mails: { readonly text: string; readonly to: readonly string[] }[] = [];
    const server = new SMTPServer({
      disabledCommands: ['STARTTLS'],
      authOptional: true,
      logger: false,
      onData: (stream, session, done) => {
        const pieces: Buffer[] = [];
        stream.on('data', (piece: Buffer) => pieces.push(piece));
        stream.on('end', () => {
          const to = session.envelope.rcptTo.map(({ address }) => address);
          mails.push({ text: Buffer.concat(pieces).toString(), to });
          done();
        });
      },
      ...options,
    });
    // What a client does not like is its error, not ours.
    server.on('error', () => undefined);
    const listening = server.listen(0, '127.0.0.1');
    await once(listening, 'listening');
    let closing: Promise<void> | undefined;
    const close = () => (closing ??= new Promise<void>((resolve) => server.close(resolve)));
    onTestFinished(close);
    return { port: (listening.address() as AddressInfo).port, mails, close };
  }
  const MAIL = {
    type: 'email',
    host: '127.0.0.1',
    security: 'none',
    user: undefined,
    password: undefined,
    from: 'backup@example.org',
    to: ['a@example.org', 'b@example.org'],
  } as const;

  it('reaches each recipient, with the title as its subject', async () => {
    const { port, mails } = await mailServer();
    await send({ ...MAIL, port }, { ...NOTICE, lines: ['Fehler: größer', '.'] });
    expect(mails).toHaveLength(1);
    expect(mails[0]?.to).toEqual(MAIL.to);
    expect(mails[0]?.text).toContain('Subject: isync app_data: backup has failed (SOURCE_FAILED)');
    expect(mails[0]?.text).toContain('Auto-Submitted: auto-generated');
  });

  it('is sent by a user with a password', async () => {
    const asked: (string | undefined)[] = [];
    const { port, mails } = await mailServer({
      authOptional: false,
      allowInsecureAuth: true,
      onAuth: ({ username, password }, _, done) => {
        asked.push(username ?? undefined, password ?? undefined);
        if (password === 'right') done(null, { user: username });
        else done(new Error('wrong password'));
      },
    });
    await send({ ...MAIL, port, user: 'me', password: 'right' });
    expect(mails).toHaveLength(1);
    const failed = await send({ ...MAIL, port, user: 'me', password: 'SECRET' }).catch(String);
    expect(failed).toContain('wrong password');
    expect(failed).not.toContain('SECRET');
    expect(asked).toContain('SECRET');
  });

  it('is not taken where the server refuses a recipient', async () => {
    const { port } = await mailServer({
      onRcptTo: ({ address }, _, done) =>
        done(address === 'b@example.org' ? new Error('no such user') : undefined),
    });
    await expect(send({ ...MAIL, port })).rejects.toMatchObject({
      code: 'NOTICE_FAILED',
      message: '127.0.0.1 has not taken the mail for b@example.org',
    });
  });

  it('is never sent without TLS where the config wants it', async () => {
    const { port, mails } = await mailServer();
    await expect(send({ ...MAIL, port, security: 'starttls' })).rejects.toMatchObject({ name: 'IsyncError' });
    await expect(send({ ...MAIL, port, security: 'tls' })).rejects.toMatchObject({ code: 'UNREACHABLE' });
    expect(mails).toEqual([]);
  });

  it('that the server never answers is given up with the try', async () => {
    const { promise: connected, resolve } = Promise.withResolvers<void>();
    const { port, close: closeMail } = await mailServer({ onConnect: () => resolve() });
    const ending = new AbortController();
    const sent = send({ ...MAIL, port }, NOTICE, ending.signal);
    await Promise.race([connected, sent]);
    const startedMs = performance.now();
    ending.abort(new Error('the time is up'));
    await expect(sent).rejects.toThrow('the time is up');
    // The server has waited for nothing: the connection is gone, too.
    await closeMail();
    expect(performance.now() - startedMs).toBeLessThan(15_000);
  });
});

describe('a command', () => {
  async function script(text: string): Promise<{ readonly path: string; readonly folder: string }> {
    const folder = await mkdtemp(join(tmpdir(), 'isync-notice-'));
    onTestFinished(async () => await rm(folder, { recursive: true, force: true }));
    const path = join(folder, 'tell');
    await writeFile(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    return { path, folder };
  }

  it('gets the notice on its stdin', async () => {
    const { path, folder } = await script('cat > "$1"');
    await send({ type: 'command', command: [path, join(folder, 'notice')] });
    const told = JSON.parse(await readFile(join(folder, 'notice'), 'utf8'));
    expect(told).toMatchObject({ job: 'app_data', occasion: 'failure', lines: NOTICE.lines });
  });

  it('that fails has not taken it, and says why', async () => {
    const { path } = await script('echo no line >&2; exit 3');
    await expect(send({ type: 'command', command: [path] })).rejects.toMatchObject({
      code: 'NOTICE_FAILED',
      message: `${path} ended with 3: no line`,
    });
    await expect(send({ type: 'command', command: ['/missing/program'] })).rejects.toMatchObject({
      code: 'NOTICE_FAILED',
    });
  });

  it('that hangs is ended with the try', async () => {
    const { path, folder } = await script('echo $$ > "$1"; exec sleep 1000');
    const ending = new AbortController();
    const pidFile = join(folder, 'pid');
    const sent = send({ type: 'command', command: [path, pidFile] }, NOTICE, ending.signal);
    sent.catch(() => undefined);
    await expect
      .poll(async () => await readFile(pidFile, 'utf8').catch(() => ''), { timeout: 20_000 })
      .toMatch(/\d\n/);
    ending.abort(new Error('the time is up'));
    await expect(sent).rejects.toThrow('the time is up');
    const pid = Number(await readFile(pidFile, 'utf8'));
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });
});
