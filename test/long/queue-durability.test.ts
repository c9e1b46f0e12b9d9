import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, type TestContext } from 'vitest';
import { lacks } from '../../harness/tools.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';
import { type Call, parseTrace, renameTo } from '../store/system-calls.ts';
import { queueProgram } from '../events/queue-embedded-setup.ts';

/** Runs `code` with the queue open, traced. `mark(text)` in it shows up as a rename. `fault`: see `inject` in strace(1). */
function trace({ skip }: TestContext, code: string, fault?: string) {
  if (lacks('strace')) skip('strace is not installed');
  const folder = temporaryFolder();
  const output = join(folder, 'trace');
  const program = `
    import { renameSync, writeFileSync } from 'node:fs';
    const mark = (text) => {
      writeFileSync(${JSON.stringify(join(folder, 'unmarked'))}, '');
      renameSync(${JSON.stringify(join(folder, 'unmarked'))}, ${JSON.stringify(folder)} + '/' + text);
    };
    ${queueProgram(join(folder, 'queue.db'), code)}
    await queue[Symbol.asyncDispose]();`;
  const faults = fault === undefined ? [] : ['-e', `inject=${fault}`];
  const traced = [
    '-f',
    '-y',
    '-s',
    '4096',
    '-e',
    'trace=fdatasync,fsync,rename,pwrite64',
    ...faults,
    '-o',
    output,
  ];
  const stdout = execFileSync('strace', [...traced, process.execPath, '--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  const calls = parseTrace(readFileSync(output, 'utf8'));
  const markOf = (name: string): Call => renameTo(calls, join(folder, name));
  const syncsBetween = (after: string, before: string): Call[] => {
    const [from, to] = [markOf(after).ended, markOf(before).began];
    const isSync = ({ name }: Call): boolean => name === 'fdatasync' || name === 'fsync';
    return calls.filter((call) => isSync(call) && call.began > from && call.ended < to);
  };
  const walSyncs = (after: string, before: string): Call[] =>
    syncsBetween(after, before).filter(({ paths }) => paths[0] === join(folder, 'queue.db-wal'));
  return { stdout, walSyncs };
}

it('syncs before a publish, an acknowledgement or a burial resolves', (context) => {
  const { walSyncs } = trace(
    context,
    `mark('begun');
     await queue.publish([{ id: 'a', body: 'x' }, { id: 'b', body: 'x' }]);
     mark('published');
     const [a, b] = await queue.receive();
     mark('received');
     await a.ack();
     mark('acknowledged');
     await b.bury('bad');
     mark('buried');
     await queue.dead.replay('b');
     mark('replayed');`,
  );
  const order = ['begun', 'published', 'received', 'acknowledged', 'buried', 'replayed'];
  const counts = order.slice(1).map((name, at) => [name, walSyncs(order[at]!, name).length]);
  expect(counts).toEqual(order.slice(1).map((name) => [name, 1]));
});

it('shares a commit among those who publish at once', (context) => {
  const { walSyncs } = trace(
    context,
    `mark('begun');
     const publish = async (publisher) => {
       for (let at = 0; at < 20; at++) await queue.publish([{ id: publisher + '-' + at, body: 'x' }]);
     };
     await Promise.all(Array.from({ length: 64 }, (_, publisher) => publish(publisher)));
     mark('published');`,
  );
  const syncs = walSyncs('begun', 'published').length;
  expect(syncs).toBeGreaterThanOrEqual(20);
  expect(syncs).toBeLessThan((64 * 20) / 8);
});

it('does not resolve, and keeps the main thread going, while the disk syncs', (context) => {
  const { stdout } = trace(
    context,
    `let isDurable = false;
     let ticks = 0;
     const published = queue.publish([{ id: 'a', body: 'x' }]).then(() => (isDurable = true));
     const beganMs = performance.now();
     while (!isDurable && ++ticks) await new Promise((resolve) => setTimeout(resolve, 10));
     console.log(performance.now() - beganMs >= 300, ticks > 3);`,
    // In µs; opening syncs too.
    'fsync:delay_enter=300000',
  );
  expect(stdout).toBe('true true\n');
});

/** Publishes and works while system calls fail, and tells which errors it saw and what was delivered. */
const WORK = `
  const codes = new Set();
  const publish = async (id) => {
    for (;;)
      try {
        return await queue.publish([{ id, body: 'x'.repeat(3000) }]);
      } catch (error) {
        codes.add(error.code + '-' + error.retryable);
      }
  };
  const ids = [];
  for (let at = 0; at < 60; at++) {
    await publish('m' + at);
    if (at % 3 === 2)
      for (let count = 0; count < 3; ) {
        const deliveries = await queue.receive();
        count += deliveries.length;
        ids.push(...deliveries.map(({ id }) => id));
        await Promise.all(deliveries.map((delivery) => delivery.ack()));
      }
  }
  for (const { code, retryable } of warned) codes.add(code + '-' + retryable);
  const inOrder = ids.every((id, at) => id === 'm' + at);
  const { waiting, inHand } = await queue.counts();
  console.log([...codes].join(' '), ids.length, inOrder, waiting, inHand);`;

it.for([
  ['a failed sync', 'fsync:error=EIO:when=20..50+5', 'STORE_FAILED-true'],
  ['a full disk', 'pwrite64:error=ENOSPC:when=100..112', 'STORE_FULL-true'],
] as const)('goes on by itself after %s: nothing is lost or there twice', ([, fault, code], context) => {
  expect(trace(context, WORK, fault).stdout).toBe(`${code} 60 true 0 0\n`);
});
