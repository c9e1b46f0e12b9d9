import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { array, assert, double, property } from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { faultyProxy } from '../../harness/faulty-proxy.ts';
import { freePort } from '../../harness/free-port.ts';
import { keepHealth, keptHealth } from '../../src/backup/check/health-file.ts';
import { measureEndpoint } from '../../src/backup/check/measure-endpoint.ts';
import { percentilesOf } from '../../src/backup/check/percentiles.ts';
import { Probe } from '../../src/backup/check/probe.ts';
import { fastestFirst, healthOf, isStoreUp, type StoreHealth } from '../../src/backup/check/store-health.ts';
import { storesDown } from '../../src/backup/status/stores-down.ts';
import type { JobTarget } from '../../src/backup/job.ts';
import { RecordingLog } from '../recording-log.ts';

const { signal } = new AbortController();

/** A server that answers as one of S3 without objects does, unless it is told otherwise. */
async function serverOf(answer: RequestListener = (_, response) => response.writeHead(404).end()) {
  const server = createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.close();
    server.closeAllConnections();
    if (server.listening) await once(server, 'close');
  });
  return (server.address() as AddressInfo).port;
}

async function proxyTo(port: number) {
  const proxy = await faultyProxy(port);
  onTestFinished(async () => await proxy[Symbol.asyncDispose]());
  return { proxy, endpoint: `http://127.0.0.1:${proxy.port}` };
}

function bucketAt(endpoints: readonly string[]): Extract<JobTarget, { readonly kind: 's3' }> {
  return {
    kind: 's3',
    bucket: 'bucket',
    prefix: 'kept',
    endpoints,
    region: undefined,
    pathStyle: undefined,
    profile: undefined,
    credentials: { accessKeyId: 'a', secretAccessKey: 's', sessionToken: undefined },
    ca: undefined,
    storageClass: undefined,
    sse: undefined,
    sseKmsKeyId: undefined,
    lock: undefined,
  };
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'isync-health-'));
  onTestFinished(async () => await rm(folder, { recursive: true, force: true }));
  return folder;
}

describe('percentiles', () => {
  it('are of the values, with at least their share at or below', () => {
    expect(percentilesOf([])).toBeUndefined();
    expect(percentilesOf([7])).toEqual({ p50: 7, p95: 7 });
    expect(percentilesOf([4, 1, 3, 2])).toEqual({ p50: 2, p95: 4 });
    assert(
      property(array(double({ noNaN: true }), { minLength: 1 }), (values) => {
        const found = percentilesOf(values)!;
        for (const [value, share] of [
          [found.p50, 0.5],
          [found.p95, 0.95],
        ] as const) {
          expect(values).toContain(value);
          expect(values.filter((one) => one <= value).length).toBeGreaterThanOrEqual(share * values.length);
          expect(values.filter((one) => one < value).length).toBeLessThan(share * values.length);
        }
      }),
    );
  });
});

describe('a server', () => {
  it('is measured by what it takes to an open connection, and from there to its answer', async () => {
    const { proxy, endpoint } = await proxyTo(await serverOf());
    proxy.delayMs = 50;
    const found = await measureEndpoint(endpoint, { samples: 7, signal });
    expect(found).toMatchObject({ samples: 7, lost: 0 });
    // There and back.
    expect(found.firstByteMs?.p50).toBeGreaterThanOrEqual(99);
    expect(found.firstByteMs?.p95).toBeGreaterThanOrEqual(found.firstByteMs?.p50 ?? 0);
    expect(found.connectMs?.p50).toBeGreaterThan(0);
    expect(proxy.connections).toBe(7);
  });

  it('that answers some requests only has lost the others', async () => {
    let asked = 0;
    const port = await serverOf((_, response) => {
      asked += 1;
      if (asked % 3 === 0) response.writeHead(503).end();
      else if (asked % 3 === 1) response.destroy();
      else response.writeHead(403).end();
    });
    const found = await measureEndpoint(`http://127.0.0.1:${port}`, { samples: 9, signal });
    expect(found).toMatchObject({ samples: 9, lost: 6 });
  });

  it('that never answers has lost all, in time', async () => {
    const { proxy, endpoint } = await proxyTo(await serverOf());
    proxy.blackhole = true;
    const found = await measureEndpoint(endpoint, { samples: 10, signal, sampleMs: 50 });
    expect(found).toMatchObject({ lost: 10, firstByteMs: undefined });
    expect(found.connectMs).toBeDefined();
    const nobody = `http://127.0.0.1:${await freePort()}`;
    expect(await measureEndpoint(nobody, { samples: 3, signal })).toEqual({
      samples: 3,
      lost: 3,
      connectMs: undefined,
      firstByteMs: undefined,
    });
  });
});

describe('the health of a store', () => {
  it('puts the fastest healthy server first, and those that are down behind all others', async () => {
    const port = await serverOf();
    const [silent, slow, fast] = [await proxyTo(port), await proxyTo(port), await proxyTo(port)];
    silent.proxy.blackhole = true;
    slow.proxy.delayMs = 300;
    const target = bucketAt([silent.endpoint, slow.endpoint, fast.endpoint]);
    const health = await healthOf(target, 'app', { samples: 3, signal, sampleMs: 5000, answerMs: 5000 });
    expect(health.store).toBe('s3://bucket/kept');
    expect(health.endpoints.map(({ endpoint, isUp }) => ({ endpoint, isUp }))).toEqual([
      { endpoint: silent.endpoint, isUp: false },
      { endpoint: slow.endpoint, isUp: true },
      { endpoint: fast.endpoint, isUp: true },
    ]);
    expect(health.endpoints[0]?.fault).toMatchObject({ code: 'UNREACHABLE' });
    expect(isStoreUp(health)).toBe(true);
    expect(storesDown([health])).toBeUndefined();
    const order = [fast.endpoint, slow.endpoint, silent.endpoint];
    expect(fastestFirst(target, health)).toEqual({ ...target, endpoints: order });
  });

  it('is that of the config where nothing is known', () => {
    const target = bucketAt(['http://b', 'http://a']);
    expect(fastestFirst(target, undefined)).toEqual(target);
    expect(fastestFirst(target, { store: 'x', atMs: 0, endpoints: [] })).toEqual(target);
    const folder = { kind: 'folder', path: '/mnt' } as const;
    expect(fastestFirst(folder, { store: 'x', atMs: 0, endpoints: [] })).toEqual(folder);
  });

  it('is bad where our credentials are refused, however fast that is', async () => {
    const port = await serverOf((_, response) => response.writeHead(403).end());
    const target = bucketAt([`http://127.0.0.1:${port}`]);
    const health = await healthOf(target, 'app', { samples: 2, signal });
    expect(health.endpoints[0]).toMatchObject({
      isUp: false,
      fault: { code: 'STORE_REFUSED' },
      measured: { lost: 0 },
    });
    expect(storesDown([health])).toContain('[STORE_REFUSED]');
  });

  it('of a folder is whether it is there', async () => {
    const path = await temporaryFolder();
    const there = await healthOf({ kind: 'folder', path }, 'app', { samples: 2, signal });
    expect(there).toMatchObject({ store: path, endpoints: [{ endpoint: path, isUp: true }] });
    const missing = join(path, 'missing');
    const gone = await healthOf({ kind: 'folder', path: missing }, 'app', { samples: 2, signal });
    expect(gone).toMatchObject({ endpoints: [{ isUp: false, fault: { code: 'STORE_MISSING' } }] });
  });

  it('ends with its signal', async () => {
    const { proxy, endpoint } = await proxyTo(await serverOf());
    proxy.blackhole = true;
    const ending = new AbortController();
    const looked = healthOf(bucketAt([endpoint]), 'app', { samples: 2, signal: ending.signal });
    await expect.poll(() => proxy.connections, { timeout: 20_000 }).toBeGreaterThan(1);
    ending.abort(new Error('enough'));
    await expect(looked).rejects.toThrow('enough');
  });

  it('is kept for a while for other processes', async () => {
    const folder = await temporaryFolder();
    const fault = { code: 'UNREACHABLE', message: 'gone', hint: undefined };
    const measured = { samples: 4, lost: 0, connectMs: { p50: 1, p95: 2 }, firstByteMs: { p50: 3, p95: 4 } };
    const health: StoreHealth = {
      store: 's3://bucket',
      atMs: Date.now(),
      endpoints: [
        { endpoint: 'http://a', isUp: true, fault: undefined, measured },
        { endpoint: 'http://b', isUp: false, fault, measured: undefined },
      ],
    };
    await keepHealth(folder, [health]);
    expect(await keptHealth(folder)).toEqual(new Map([['s3://bucket', health]]));
    expect(await keptHealth(folder, Date.now() + 16 * 60_000)).toEqual(new Map());
    await writeFile(join(folder, 'health.json'), '[{"store":1}]');
    expect(await keptHealth(folder)).toEqual(new Map());
    await keepHealth(join(folder, 'missing'), [health]);
    expect(await keptHealth(join(folder, 'missing'))).toEqual(new Map());
  });
});

describe('the probe', () => {
  it('looks at a store that jobs share once, keeps that for each, and tells what changes once', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'store');
    const jobs = [];
    for (const name of ['one', 'two']) {
      const stateDir = join(folder, name);
      await mkdir(stateDir);
      jobs.push({ name, stateDir, to: [{ kind: 'folder', path } as const] });
    }
    const log = new RecordingLog();
    let looks = 0;
    const probe = new Probe({
      jobs,
      log,
      look: async (...given) => {
        looks += 1;
        return await healthOf(...given);
      },
    });
    expect(probe.stores).toEqual([]);
    await probe.lookOnce(signal);
    await probe.lookOnce(signal);
    expect(looks).toBe(2);
    expect(probe.stores.map(isStoreUp)).toEqual([false]);
    await mkdir(path);
    await probe.lookOnce(signal);
    await probe.lookOnce(signal);
    expect(probe.stores.map(isStoreUp)).toEqual([true]);
    expect(log.lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
      'warn a backup store can not be used',
      'info a backup store can be used again',
    ]);
    for (const { stateDir } of jobs) expect([...(await keptHealth(stateDir)).keys()]).toEqual([path]);
  });

  it('goes on until it is stopped', async () => {
    const stopping = new AbortController();
    let looks = 0;
    const probe = new Probe({
      jobs: [{ name: 'one', stateDir: '/missing', to: [{ kind: 'folder', path: '/missing' }] }],
      log: new RecordingLog(),
      everyMs: 1,
      look: async () => {
        looks += 1;
        if (looks === 3) stopping.abort();
        if (looks === 2) throw new Error('a fault of ours');
        return { store: '/missing', atMs: 0, endpoints: [] };
      },
    });
    await probe.follow(stopping.signal);
    expect(looks).toBe(3);
  });
});
