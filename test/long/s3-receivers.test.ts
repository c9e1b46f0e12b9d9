import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { s3Differences } from '../../harness/s3-objects.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { startS3Stage } from '../../harness/s3-stage.ts';
import { untilSealed } from '../../harness/stage.ts';

const MIB = 1024 * 1024;
const LARGE = 64 * MIB;

await withS3Server((server) => {
  test('a device goes on at another receiver while its old session hangs half-open, full of the same file', async () => {
    await using s3 = await startS3Stage(server);
    await using two = await s3.another();
    await using balancer = await startBalancer(s3.stage.receiver.port);
    const edge = await s3.stage.edge('edge1');
    await edge.write({ 'DC1/large': LARGE, 'DC1/small': 1000, 'DC1/finished.parse': '' });
    await using daemon = edge.daemon([], { to: balancer.url });
    await daemon.until('some parts to be sent', () => balancer.bytesUp > LARGE / 2);
    balancer.leave(two.port);
    await untilSealed(edge, ['DC1'], daemon);
    // The receiver that was left has not noticed: it still waits for the rest.
    expect(balancer.abandoned).toBe(1);
    expect(await s3Differences(server, s3.bucket, `${s3.prefix}/edge1`, edge.root)).toEqual([]);
    // What it has of the file goes nowhere when it is told to end.
    expect((await s3.stage.receiver.process.stop('SIGTERM')).exitCode).toBe(0);
    expect(await s3Differences(server, s3.bucket, `${s3.prefix}/edge1`, edge.root)).toEqual([]);
    const verified = await edge.scan(['--marks', 'verify'], { to: two.url });
    expect([verified.exitCode, verified.summary.files]).toEqual([0, 0]);
  });
});

/** One address in front of receivers. */
interface Balancer extends AsyncDisposable {
  readonly url: string;
  /** Bytes that devices have sent. */
  readonly bytesUp: number;
  /** Connections to receivers that stand though their device has gone. */
  readonly abandoned: number;
  /** Cuts devices off without telling their receivers, and leads them to `port` from now on. */
  leave(port: number): void;
}

async function startBalancer(port: number): Promise<Balancer> {
  const pairs = new Map<Socket, Socket>();
  const abandoned = new Set<Socket>();
  let target = port;
  let bytesUp = 0;
  const balancer = createServer((device) => {
    const receiver = connect(target, '127.0.0.1');
    pairs.set(device, receiver);
    device.on('data', (bytes: Buffer) => (bytesUp += bytes.length));
    device.pipe(receiver, { end: false });
    receiver.pipe(device);
    receiver.on('close', () => {
      abandoned.delete(receiver);
      device.destroy();
    });
    device.on('close', () => {
      if (!abandoned.has(receiver)) receiver.destroy();
    });
    for (const socket of [device, receiver]) socket.on('error', () => {});
  });
  balancer.listen(0, '127.0.0.1');
  await once(balancer, 'listening');
  const address = balancer.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `ws://127.0.0.1:${address.port}`,
    get bytesUp() {
      return bytesUp;
    },
    get abandoned() {
      return abandoned.size;
    },
    leave(port) {
      target = port;
      for (const [device, receiver] of pairs) {
        device.unpipe(receiver);
        abandoned.add(receiver);
        device.resetAndDestroy();
      }
      pairs.clear();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of [...pairs.keys(), ...abandoned]) socket.destroy();
      balancer.close();
      if (balancer.listening) await once(balancer, 'close');
    },
  };
}
