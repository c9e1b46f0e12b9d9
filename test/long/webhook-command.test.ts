import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { cephRecord } from '../../harness/ceph-record.ts';
import { runCli } from '../../harness/cli.ts';
import { startWebhookStage, type Webhook, type WebhookStage } from '../../harness/webhook-stage.ts';

const TOKEN = 'a-token-of-32-characters-or-more';
const SECRET = 'a-secret-of-the-path-24';
const put = (key: string): string => cephRecord({ event: 'ObjectCreated:Put', bucket: 'photos', key });

/** What a script has written so far, a line each. */
const linesIn = (stage: WebhookStage): string[] => {
  try {
    return readFileSync(stage.at('told'), 'utf8').split('\n').slice(0, -1);
  } catch {
    return [];
  }
};
const lineFor = (stage: WebhookStage): string => `echo "$1 $2 $3" >> '${stage.at('told')}'`;

/** Ends each thread but the main one as soon as there is a file `path`. */
const THREAD_THAT_ENDS = (path: string): string => `
  const { existsSync } = require('node:fs');
  if (!require('node:worker_threads').isMainThread)
    setInterval(() => existsSync(${JSON.stringify(path)}) && process.exit(1), 10);`;

describe.concurrent('isync webhook', () => {
  it.each([
    [[], 'nothing says what to do about events', '--script FILE'],
    [['--script', '/bin/true', '--address', '0.0.0.0'], 'listens on loopback only', '--token-file'],
  ])('%j is refused, and nothing is made', async (args, why, hint) => {
    await using stage = await startWebhookStage();
    const state = stage.at('state');
    const { exitCode, stderr } = await runCli(['webhook', '--port', '0', '--state', state, ...args]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(why);
    expect(stderr).toContain(hint);
    expect(() => readFileSync(state)).toThrow('ENOENT');
  });

  it('takes events from whoever may post, runs the script for each, and measures it', async () => {
    await using stage = await startWebhookStage();
    await writeFile(stage.at('token'), TOKEN, { mode: 0o600 });
    await writeFile(stage.at('secret'), SECRET, { mode: 0o600 });
    await stage.configure({
      tokenFile: stage.at('token'),
      secretPathFile: stage.at('secret'),
      script: await stage.script(lineFor(stage)),
      status: '127.0.0.1:0',
      logLevel: 'debug',
    });
    await using webhook = await stage.start();
    const { ask, post } = webhook;
    expect(await ask({ path: '/ping' })).toMatchObject({ status: 200, text: 'Pong' });
    for (const method of ['GET', 'HEAD'])
      expect(await ask({ method, path: '/webhook' })).toMatchObject({ status: 200 });
    expect(await ask({ path: '/' })).toMatchObject({ status: 404 });
    const secretPath = `/webhook/${SECRET}`;
    const ways = [
      { headers: { authorization: `Bearer ${TOKEN}` } },
      { headers: { authorization: TOKEN } },
      { path: secretPath },
    ];
    const ids: string[] = [];
    for (const [index, way] of ways.entries()) {
      const answer = await post(put(`a b/${index}`), way);
      expect(answer.status).toBe(200);
      ids.push((JSON.parse(answer.text) as { readonly id: string }).id);
    }
    for (const way of [{}, { headers: { authorization: `Bearer ${TOKEN}x` } }, { path: `${secretPath}x` }])
      expect(await post(put('refused'), way)).toMatchObject({ status: 401 });
    await webhook.process.until('the script to have run', () => linesIn(stage).length === 3);
    expect(linesIn(stage).toSorted()).toEqual([0, 1, 2].map((index) => `photos a b/${index} copy`));
    await webhook.process.until('all to be done', async () =>
      (await metricsOf(webhook)).includes('isync_queue_depth 0\n'),
    );
    const metrics = await metricsOf(webhook);
    for (const line of [
      'isync_webhook_requests_total{status="200"} 5',
      'isync_webhook_requests_total{status="401"} 3',
      'isync_webhook_accept_seconds_count 3',
      'isync_queue_oldest_seconds 0',
      'isync_queue_dead 0',
      'isync_action_seconds_count{action="script"} 3',
      'isync_action_looked_again_total 0',
      'isync_events_received_total{dialect="ceph",kind="created"} 3',
      'isync_events_done_total{action="created",outcome="done"} 3',
      'isync_events_parked 0',
    ])
      expect(metrics).toContain(`\n${line}\n`);
    const { exitCode, stdout, stderr } = await webhook.process.stop('SIGTERM');
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({ received: 3, done: 3 });
    // One id from the request to the action.
    const lines = stderr.split('\n').filter(Boolean);
    for (const [index, id] of ids.entries()) {
      const ofIt = lines.filter((line) => line.includes(id)).join('\n');
      expect(ofIt).toContain(`"key":"a b/${index}"`);
      expect(ofIt).toContain('"records":1');
      expect(lines.filter((line) => line.includes(`a b/${index}`) && !line.includes(id))).toEqual([]);
    }
    for (const secret of [SECRET, TOKEN]) expect(`${stdout}${stderr}`).not.toContain(secret);
  });

  it('listens on loopback where nothing says who may post, and in no browser', async () => {
    await using stage = await startWebhookStage();
    await stage.configure({ role: 'receive' });
    await using webhook = await stage.start();
    expect(new URL(webhook.url).hostname).toBe('127.0.0.1');
    expect(await webhook.post(put('a'), { headers: { origin: 'http://evil.example' } })).toMatchObject({
      status: 401,
    });
    const answer = await webhook.post(put('a'));
    expect(answer.status).toBe(200);
    // By now it is durable.
    await webhook.process.kill();
    expect(await stage.counts()).toMatchObject({ waiting: 1, inHand: 0, dead: 0 });
    for (const mistyped of [stage.at('mistyped.db'), pathToFileURL(stage.at('mistyped.db')).href]) {
      const { exitCode, stderr } = await stage.run('queue', '--queue', mistyped);
      expect([exitCode, stderr]).toEqual([5, expect.stringContaining('there is no queue')]);
    }
    expect(existsSync(stage.at('mistyped.db'))).toBe(false);
  });

  it.each(['receive', 'both'])(
    'of the role %s ends with an exit code once the thread of its queue has failed',
    async (role) => {
      await using stage = await startWebhookStage();
      await stage.configure({ role, script: '/bin/true' });
      const preload = stage.at('preload.cjs');
      await writeFile(preload, THREAD_THAT_ENDS(stage.at('end')));
      await using webhook = await stage.start([], { env: { NODE_OPTIONS: `--require ${preload}` } });
      expect(await webhook.post(put('a'))).toMatchObject({ status: 200 });
      await writeFile(stage.at('end'), '');
      const { exitCode, stderr } = await webhook.process.ended;
      expect([exitCode, stderr]).toEqual([1, expect.stringContaining('the thread of the queue has ended')]);
    },
  );

  it('has parked records taken again by the workers where it only receives', async () => {
    await using stage = await startWebhookStage();
    const role = 'receive';
    await stage.configure({ role, buckets: ['others'] });
    {
      await using webhook = await stage.start();
      expect(JSON.parse((await webhook.post(put('a'))).text)).toMatchObject({ accepted: 0, parked: 1 });
      await webhook.process.stop('SIGTERM');
    }
    await stage.configure({ role, buckets: ['photos'] });
    await using webhook = await stage.start();
    expect((await stage.run('parked', 'replay', 'all')).exitCode).toBe(0);
    await webhook.process.until('it to be queued', async () => (await stage.counts()).waiting === 1);
    await webhook.process.until(
      'it to be parked no more',
      async () => (await stage.run('parked', 'list')).stdout.trim() === '',
    );
  });

  it.each([['resync'], ['queue']])(
    '%s is refused where a queue of others is read in place of its own',
    async (command) => {
      await using stage = await startWebhookStage();
      await stage.configure({ source: 'amqp://127.0.0.1:9/events', to: 's3://copies', buckets: ['photos'] });
      const { exitCode, stderr } = await stage.run(command);
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining('"source"')]);
      expect(() => readFileSync(stage.at('webhook.state/queue.db'))).toThrow('ENOENT');
    },
  );

  it('answers what it was reading when it is asked to end, and finishes what it has begun', async () => {
    await using stage = await startWebhookStage();
    const script = await stage.script(
      `${lineFor(stage)}\nwhile [ ! -e '${stage.at('go')}' ]; do sleep 0.05; done`,
    );
    await stage.configure({ script, concurrency: 1 });
    await using webhook = await stage.start();
    const late = put('late');
    const socket = connect(webhook.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(
      `POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(late)}\r\n\r\n${late.slice(0, 40)}`,
    );
    for (const key of ['a', 'b']) await webhook.post(put(key));
    await webhook.process.until('one to have begun', () => linesIn(stage).length === 1);
    webhook.process.signal('SIGTERM');
    await webhook.process.until('no new connection', async () =>
      webhook.ask({ path: '/ping' }).then(
        () => false,
        () => true,
      ),
    );
    socket.write(late.slice(40));
    expect(await text(socket)).toContain('200 OK');
    await writeFile(stage.at('go'), '');
    expect((await webhook.process.ended).exitCode).toBe(0);
    expect(linesIn(stage)).toEqual(['photos a copy']);
    expect(await stage.counts()).toMatchObject({ waiting: 2, inHand: 0 });
  });

  it.each([
    ['work', 503, /^what events .* is away/],
    // Stores that send once must not be kept from sending.
    ['both', 200, /^ok, but what events .* is away/],
  ])('is, as %s, told to be %i by /readyz while its target is away', async (role, status, text) => {
    await using stage = await startWebhookStage({
      AWS_ACCESS_KEY_ID: 'x',
      AWS_SECRET_ACCESS_KEY: 'x',
    });
    const away = 'http://127.0.0.1:9';
    const settings = { to: 's3://copies', sourceEndpoint: away, targetEndpoint: away };
    await stage.configure({ ...settings, role: 'receive' });
    {
      await using receiver = await stage.start();
      for (let index = 0; index < 8; index++) await receiver.post(put(`k${index}`));
    }
    await stage.configure({ ...settings, role, status: '127.0.0.1:0' });
    await using webhook = await stage.start();
    const ready = async () => {
      const answer = await fetch(`${webhook.statusUrl}/readyz`);
      return { status: answer.status, text: await answer.text() };
    };
    await webhook.process.until('it to be told', async () => (await ready()).text !== 'ok\n');
    expect(await ready()).toEqual({ status, text: expect.stringMatching(text) });
  });

  it('takes no token that can be guessed', async () => {
    await using stage = await startWebhookStage();
    await writeFile(stage.at('token'), 'nine-char', { mode: 0o600 });
    await stage.configure({ role: 'receive', tokenFile: stage.at('token') });
    const { exitCode, stderr } = await stage.run();
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('shorter than 16')]);
    expect(stderr).not.toContain('nine-char');
  });

  it('shows what is dead, takes it again and drops it; what it can not read is parked', async () => {
    await using stage = await startWebhookStage();
    const script = await stage.script(
      `[ "$2" = good ] || [ -e '${stage.at('mended')}' ] || exit 3\n${lineFor(stage)}`,
    );
    await stage.configure({ script, attempts: 1, status: '127.0.0.1:0' });
    await using webhook = await stage.start();
    for (const key of ['bad', 'worse', 'good']) await webhook.post(put(key));
    expect(await webhook.post('{"no": "event"}')).toMatchObject({ status: 200 });
    await webhook.process.until('the bad ones to be dead', async () =>
      (await metricsOf(webhook)).includes('isync_queue_dead 2\n'),
    );
    const list = await stage.run('queue', 'dead', 'list');
    expect(list.stdout).toMatch(/photos\/bad: .*3/);
    const ids = list.stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[0] ?? '');
    expect(ids).toHaveLength(2);
    const shown = await stage.run('queue', 'dead', 'show', ids[0] ?? '', '--json');
    expect(JSON.parse(shown.stdout)).toMatchObject({ id: ids[0], attempts: 1, exitCode: 0 });
    expect(await stage.run('queue', 'dead', 'drop', 'no-such')).toMatchObject({ exitCode: 2 });
    await writeFile(stage.at('mended'), '');
    expect((await stage.run('queue', 'dead', 'replay', ids[0] ?? '')).stdout).toContain('1 message put back');
    await webhook.process.until('it to be done', () => linesIn(stage).length === 2);
    expect((await stage.run('queue', 'dead', 'drop', 'all')).stdout).toContain('1 message dropped');
    expect(await stage.counts()).toMatchObject({ dead: 0 });
    expect((await stage.run('parked', 'list')).stdout).toContain('EVENT_INVALID');
  });
});

const metricsOf = async ({ statusUrl }: Webhook): Promise<string> =>
  await (await fetch(`${statusUrl}/metrics`)).text();
