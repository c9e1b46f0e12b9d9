import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { CLI_MAIN, CLI_NODE } from '../../harness/cli.ts';
import { startNode, type CliProcess } from '../../harness/process.ts';
import { temporaryFolder, writeTree } from '../../harness/data-tree.ts';
import { environmentOf } from '../../harness/s3-access.ts';
import { startS3Front, type S3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { startS3Stage } from '../../harness/s3-stage.ts';
import { untilSealed } from '../../harness/stage.ts';

/** Well below the time in which requests without an answer fail by themselves. */
const AT_ONCE_MS = 6_000;
/** What is in flight gets 10 s; then requests are cut. */
const CUT_MS = 14_000;
const TREE = { 'DC1/a': 10, 'DC1/large': 60_000_000, 'DC1/finished.parse': '' };

/** How `cli` ends after SIGTERM. After `withinMs` it is killed, and has no exit code. */
async function stopOf(cli: CliProcess, withinMs: number) {
  const late = setTimeout(() => cli.signal('SIGKILL'), withinMs);
  const { exitCode, stderr } = await cli.stop('SIGTERM');
  clearTimeout(late);
  return { exitCode, fault: /"level":"(error|fatal)".*/.exec(stderr)?.[0] };
}

/** Accepts connections, reads all of it, and never says a word. */
async function silentServer() {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

describe.concurrent('a stop while a bucket that never answers is opened ends at once:', () => {
  test.each([
    ['scan', 130],
    ['receive', 0],
  ] as const)('%s', async (command, exitCode) => {
    await using server = await silentServer();
    await using root = await temporaryFolder('s3-stop');
    await writeTree(root.path, { 'DC1/a': 10 });
    const bucket = 's3://bucket/p';
    const words = {
      scan: [root.path, '--to', bucket, '--device', 'edge1'],
      receive: [bucket, '--listen', '127.0.0.1:0'],
    };
    const args = [CLI_MAIN, command, ...words[command], '--s3-endpoint', server.endpoint];
    const env = environmentOf({ accessKeyId: 'x', secretAccessKey: 'x' }, 'us-east-1');
    await using cli = startNode(args, { node: CLI_NODE, env });
    await cli.until('a request', () => server.sockets.size > 0);
    expect(await stopOf(cli, AT_ONCE_MS)).toEqual({ exitCode, fault: undefined });
  });
});

await withS3Server((server) => {
  describe('a bucket that stops answering in the middle of a file holds up the end no longer than files in flight may;', () => {
    test('a receiver resumes it, and nothing is lost', async () => {
      await using front = await startS3Front(server.endpoint);
      await using s3 = await startS3Stage(server, front.endpoint);
      const edge = await s3.stage.edge('edge1');
      await edge.write(TREE);
      await using daemon = edge.daemon();
      await stall(front, daemon);
      expect(await stopOf(s3.stage.receiver.process, CUT_MS)).toEqual({ exitCode: 0, fault: undefined });
      expect(edge.sealed('DC1')).toBe(false);
      front.ignore = undefined;
      await s3.stage.restartReceiver();
      await untilSealed(edge, ['DC1'], daemon);
      expect(firstParts(front)).toBe(1);
      expect(await s3.differences(edge)).toEqual([]);
    });

    test('a scan resumes it, and nothing is lost', async () => {
      await using front = await startS3Front(server.endpoint);
      await using s3 = await startS3Stage(server, front.endpoint);
      const edge = await s3.stage.edge('edge1');
      await edge.write(TREE);
      const direct = { to: s3.address, env: s3.env };
      await using daemon = edge.daemon([...s3.args], direct);
      await stall(front, daemon);
      expect(await stopOf(daemon, CUT_MS)).toEqual({ exitCode: 130, fault: undefined });
      expect(edge.sealed('DC1')).toBe(false);
      front.ignore = undefined;
      expect(await edge.scan([...s3.args], direct)).toMatchObject({ exitCode: 0 });
      expect(firstParts(front)).toBe(1);
      expect(await s3.differences(edge)).toEqual([]);
    });
  });
});

/** Answers nothing any more once the bucket has some parts of a file, and more are on their way. */
async function stall(front: S3Front, daemon: CliProcess): Promise<void> {
  const parts = (): number => front.answered.filter(({ url }) => url.includes('partNumber=')).length;
  await daemon.until('parts of the file', () => parts() > 2);
  front.ignore = () => true;
  const asked = front.asked.length;
  await daemon.until('a request without an answer', () => front.asked.length > asked);
}

/** How often the first part of a file was sent. */
function firstParts({ asked }: S3Front): number {
  return asked.filter(({ url }) => url.includes('partNumber=1&')).length;
}
