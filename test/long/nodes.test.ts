import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startNode } from '../../harness/process.ts';
import { queueProgram } from '../events/queue-embedded-setup.ts';

/** The floor, and those that follow. */
const VERSIONS = ['22.22.0', '24', '26'];

let folder: string;
let nodes: readonly string[];
/** As it is installed: the floor can't run the source. */
let built: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'isync-nodes-'));
  nodes = VERSIONS.map((version) => {
    const prefix = join(folder, version);
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefix', prefix, `node@${version}`]);
    return join(prefix, 'node_modules/node/bin/node');
  });
  built = join(folder, 'isync');
  execFileSync('npx', ['tsc', '-p', 'tsconfig.build.json', '--outDir', join(built, 'dist')]);
  cpSync('package.json', join(built, 'package.json'));
  symlinkSync(join(process.cwd(), 'node_modules'), join(built, 'node_modules'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each(['readLarge(socket)', 'readLargeInRing(socket, 4_000_000)'])(
  'each supported Node reads sockets in long pieces: %s',
  async (call) => {
    const code = `
    import { connect, createServer } from 'node:net';
    import { readLarge, readLargeInRing } from ${JSON.stringify(join(built, 'dist/http/large-reads.js'))};
    const server = createServer((socket) => {
      const isLarge = ${call};
      let [longest, all] = [0, 0];
      socket.on('data', ({ length }) => {
        longest = Math.max(longest, length);
        all += length;
      });
      socket.on('end', () => console.log(isLarge, longest > 65_536, all));
      server.close();
    });
    server.listen(0, '127.0.0.1', () => connect(server.address().port, '127.0.0.1').end(Buffer.alloc(20_000_000)));`;
    for (const node of nodes) {
      const { stdout, stderr } = await startNode(['--input-type=module', '-e', code], { node }).ended;
      expect([node, stdout.trim(), stderr]).toEqual([node, 'true true 20000000', '']);
    }
  },
);

it('a queue file of each supported Node is one for the others, without a warning', async () => {
  const file = join(folder, 'queue.db');
  const source = join(built, 'dist/events/queue/embedded/embedded-queue.js');
  const run = async (node: string, code: string): Promise<string> => {
    const args = ['--input-type=module', '-e', queueProgram(file, code, 'waitMs: 100', source)];
    const { stdout, stderr, exitCode } = await startNode(args, { node }).ended;
    expect([stderr, exitCode]).toEqual(['', 0]);
    return stdout.trim();
  };
  for (const [at, writer] of nodes.entries()) {
    // Killed, so that the log is left for the next one.
    const publish = `
      await queue.publish([{ id: 'a${at}', body: 'ä' }, { id: 'b${at}', body: 'b' }]);
      for (const delivery of await queue.receive()) if (delivery.id[0] === 'b') await delivery.bury('bad');
      console.log('done');
      setInterval(() => {}, 1000);`;
    const program = startNode(['--input-type=module', '-e', queueProgram(file, publish, '', source)], {
      node: writer,
    });
    await program.until('a publish', () => program.stdout.includes('done'));
    await program.kill();
    for (const reader of nodes)
      expect(
        await run(
          reader,
          `const [delivery] = await queue.receive();
           const dead = await queue.dead.get('b${at}');
           console.log(delivery.id, delivery.body, dead.reason);
           await delivery.release(0);
           await queue[Symbol.asyncDispose]();`,
        ),
      ).toBe(`a${at} ä bad`);
    const done = `for (const delivery of await queue.receive()) await delivery.ack();
      await queue[Symbol.asyncDispose]();`;
    await run(nodes[0]!, done);
  }
});
