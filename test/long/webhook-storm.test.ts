import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  DeleteObjectCommand,
  HeadObjectCommand,
  NotFound,
  PutObjectCommand,
  paginateListObjectsV2,
} from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import { postEvents } from '../../harness/ceph-events.ts';
import { BROKERS, type BrokerName, startEventBroker } from '../../harness/event-broker.ts';
import { startEventRelay } from '../../harness/event-relay.ts';
import { freePort } from '../../harness/free-port.ts';
import { until } from '../../harness/process.ts';
import { Random } from '../../harness/random.ts';
import { readBack } from '../../harness/s3-objects.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { startWebhookStage, type Webhook, type WebhookStage } from '../../harness/webhook-stage.ts';

/** Puts, overwrites and deletes. What it must stand is 10,000, with 20 kills, which take minutes. */
const CHANGES = Number(process.env['ISYNC_TEST_WEBHOOK_CHANGES'] ?? 200);
const SEED = Number(process.env['ISYNC_TEST_WEBHOOK_SEED'] ?? 20_261_126);
const KILLS = Number(process.env['ISYNC_TEST_WEBHOOK_KILLS'] ?? 4);
/** Keeps the logs of all processes, in a folder for each run. */
const LOGS = process.env['ISYNC_TEST_WEBHOOK_LOGS'];
/** Changes without kills: of these, each worker has its share. */
const CALM_CHANGES = Math.min(CHANGES, 1_000);
const RESTARTS = Math.ceil(KILLS / 4);
const WORKERS_AT_BROKER = 3;
/** Changes under way at a time. */
const AT_ONCE = 8;
/** Objects whose bytes are compared too; of all others, ETag and size. */
const READ_BACK = 50;
/** From one kill to the next at the latest, in ms: most that waits may be in the hands of the one that was killed. */
const KILL_AFTER_MS = Math.max(3_000, CHANGES);
/** Longest time of one storm, in ms. */
const STORM_MS = 600_000 + 150 * CHANGES;
/** Longest wait until the copy is as the bucket: a killed worker's messages come again after 30 s. */
const SETTLE_MS = 400_000;
/** Objects of one comparison that are asked for by themselves. */
const MOST_ASKED = 20;
/** Longest wait for an answer of the S3 server, in ms: Ceph 16.2 leaves a request without any, once in ten thousands. */
const ANSWER_MS = 30_000;
/** From one comparison of the buckets to the next, in ms: it keeps the machine busy. */
const COMPARE_MS = 500;

/** A process that is started again whenever it was killed. */
class Killed {
  /** Events that its lives have worked on: the log has a line for each. */
  worked = 0;
  readonly #stage: WebhookStage;
  readonly #name: string;
  readonly #role: string;
  #current: Webhook | undefined;

  constructor(stage: WebhookStage, name: string, role: 'receive' | 'work') {
    this.#stage = stage;
    this.#name = name;
    this.#role = role;
  }

  async start(): Promise<void> {
    let line = '';
    const onStderr = (text: string): void => {
      const lines = `${line}${text}`.split('\n');
      line = lines.pop() ?? '';
      for (const each of lines) if (/"msg":"(?:written|removed|unchanged|done)"/.test(each)) this.worked += 1;
      this.note(text);
    };
    this.note(`--- ${new Date().toISOString()} started\n`);
    this.#current = await this.#stage.start(['--role', this.#role], { onStderr });
  }

  async kill(): Promise<void> {
    this.note(`--- ${new Date().toISOString()} killed\n`);
    await this.#current?.process.kill();
    await this.start();
  }

  async stop(): Promise<number | null> {
    return (await this.#current?.process.stop('SIGTERM'))?.exitCode ?? null;
  }

  get tail(): string {
    return this.#current?.process.tail() ?? '';
  }

  note(text: string): void {
    if (LOGS === undefined) return;
    mkdirSync(LOGS, { recursive: true });
    appendFileSync(join(LOGS, `${this.#name}.log`), text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#current?.[Symbol.asyncDispose]();
  }
}

await withS3Server((server) => {
  test.for(['a file', ...BROKERS] as const)(
    `${CHANGES} changes of a bucket end as its state in another by %s, with ${KILLS} kills`,
    { timeout: STORM_MS },
    async (name, { skip }) => {
      const broker = name === 'a file' ? undefined : await startEventBroker(name satisfies BrokerName);
      if (name !== 'a file' && broker === undefined) return skip(`${name} is not installed`);
      await using stack = new AsyncDisposableStack();
      if (broker !== undefined) stack.use(broker);
      const stage = stack.use(await startWebhookStage(server.env));
      const [source, target] = [await server.makeBucket(), await server.makeBucket()];
      const port = await freePort();
      await stage.configure({
        ...(broker !== undefined && { queue: broker.url }),
        port,
        to: `s3://${target}`,
        // So that few are in hand at a kill.
        concurrency: 8,
        sourceEndpoint: server.endpoint,
        targetEndpoint: server.endpoint,
        buckets: [source],
      });
      const receiver = stack.use(new Killed(stage, `${name}-receiver`, 'receive'));
      const workers = Array.from({ length: broker === undefined ? 1 : WORKERS_AT_BROKER }, (_, index) =>
        stack.use(new Killed(stage, `${name}-worker-${index}`, 'work')),
      );
      await Promise.all([receiver, ...workers].map(async (each) => await each.start()));
      const relay = stack.use(await startEventRelay(`http://127.0.0.1:${port}/webhook`));
      await postEvents(server, source, { name: `storm-${port}`, url: relay.url });

      const random = new Random(SEED);
      const began = performance.now();
      const changing = change(CHANGES, source, random);
      for (let kill = 1; kill <= KILLS; kill++) {
        const latest = performance.now() + KILL_AFTER_MS;
        const isTime = () =>
          workedBy(workers) >= (kill * 0.8 * CHANGES) / KILLS || performance.now() > latest;
        await until(`the time of kill ${kill}`, isTime);
        await [receiver, ...workers][kill % (workers.length + 1)]!.kill();
        if (kill % Math.floor(KILLS / RESTARTS) === 0) await broker?.restart();
      }
      await changing;
      const changedMs = performance.now();
      expect(relay.told).toBeGreaterThanOrEqual(CHANGES);
      const settled = () =>
        until(
          'the copy to be as the bucket',
          async () => {
            await delay(COMPARE_MS);
            if (relay.left > 0 || (await differences(source, target)).length > 0) return false;
            return await isEmpty(stage);
          },
          SETTLE_MS,
        ).catch(async (thrown: unknown) => {
          const told = [relay.told, relay.left, await differences(source, target), await stage.run('queue')];
          throw new Error(
            [String(thrown), JSON.stringify(told), ...[receiver, ...workers].map(({ tail }) => tail)].join(
              '\n',
            ),
            { cause: thrown },
          );
        });
      await settled();
      const settledMs = performance.now();
      // One that was cut off from its broker comes back within seconds.
      const settledAt = workers.map(({ worked }) => worked);
      await until('each worker to be at work', async () => {
        await change(AT_ONCE, source, random);
        return workers.every(({ worked }, index) => worked > (settledAt[index] ?? 0));
      });
      await settled();
      // Who was killed often has done less; left alone, each has its share.
      const before = workers.map(({ worked }) => worked);
      if (workers.length > 1) await change(CALM_CHANGES, source, random);
      await settled();
      const shares = workers.map(({ worked }, index) => worked - (before[index] ?? 0));
      const least = 0.2 * shares.reduce((sum, share) => sum + share, 0);
      for (const [index, share] of shares.entries())
        expect(share, `${shares.join(', ')}: ${workers[index]?.tail}`).toBeGreaterThanOrEqual(least);
      const all = [...(await listed(source)).keys()];
      for (let count = 0; count < Math.min(READ_BACK, all.length); count++) {
        const key = random.pick(all);
        expect(await readBack(server, target, key)).toEqual(await readBack(server, source, key));
      }
      expect(await stage.counts()).toMatchObject({ waiting: 0, inHand: 0, dead: 0 });
      for (const each of [receiver, ...workers]) expect(await each.stop()).toBe(0);
      console.log(
        `${name}: ${CHANGES} changes in ${seconds(changedMs - began)} s, ${settledAt.join(', ')} events with kills in ${seconds(settledMs - began)} s, ${shares.join(', ')} without, ${all.length} objects`,
      );
    },
  );

  async function change(count: number, Bucket: string, random: Random): Promise<void> {
    let left = count;
    const work = async (): Promise<void> => {
      while (left-- > 0) {
        // A few keys change all the time, the many seldom.
        const index = Math.floor(random.below(CHANGES / 2) * (random.chance(0.8) ? 1 : 0.02));
        const Key = `f ${index % 17}/é+%41 ${index}.txt`;
        if (random.chance(0.3))
          await answered((options) => server.client.send(new DeleteObjectCommand({ Bucket, Key }), options));
        else {
          const Body = Buffer.alloc(random.int(1, 6_000), `${left} ${index};`);
          const put = new PutObjectCommand({ Bucket, Key, Body, Metadata: { change: `${left}` } });
          await answered((options) => server.client.send(put, options));
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  /** ETag and size by key. */
  async function listed(Bucket: string): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for await (const { Contents = [] } of paginateListObjectsV2({ client: server.client }, { Bucket }))
      for (const { Key = '', ETag, Size } of Contents) found.set(Key, `${ETag} ${Size}`);
    return found;
  }

  async function differences(source: string, target: string): Promise<string[]> {
    const [here, there] = await Promise.all([listed(source), listed(target)]);
    const listedSo = [...new Set([...here.keys(), ...there.keys()])].filter(
      (key) => here.get(key) !== there.get(key),
    );
    // Where one key is put and deleted at once, the index of a bucket of Ceph may stay behind: the objects themselves tell.
    const [few, rest] = [listedSo.slice(0, MOST_ASKED), listedSo.slice(MOST_ASKED)];
    const differ = await Promise.all(
      few.map(async (key) => (await head(source, key)) !== (await head(target, key))),
    );
    return [...few.filter((_, index) => differ[index]), ...rest];
  }

  /** ETag and size; undefined where there is no object. */
  async function head(Bucket: string, Key: string): Promise<string | undefined> {
    try {
      const { ETag, ContentLength } = await server.client.send(new HeadObjectCommand({ Bucket, Key }));
      return `${ETag} ${ContentLength}`;
    } catch (error) {
      if (error instanceof NotFound) return undefined;
      throw error;
    }
  }
});

/** Asks again where no answer comes. */
async function answered(
  ask: (options: { readonly abortSignal: AbortSignal }) => Promise<unknown>,
): Promise<void> {
  for (;;) {
    const abortSignal = AbortSignal.timeout(ANSWER_MS);
    try {
      await ask({ abortSignal });
      return;
    } catch (error) {
      if (!abortSignal.aborted) throw error;
    }
  }
}

function seconds(ms: number): number {
  return Math.round(ms / 1000);
}

function workedBy(workers: readonly Killed[]): number {
  return workers.reduce((sum, { worked }) => sum + worked, 0);
}

/** False also while a broker that has just been started tells nothing. */
async function isEmpty(stage: WebhookStage): Promise<boolean> {
  const counts = await stage.counts().catch(() => undefined);
  return counts !== undefined && counts.waiting + counts.inHand === 0;
}
