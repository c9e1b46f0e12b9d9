import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { CLI_MAIN, CLI_NODE } from '../../harness/cli.ts';
import { plainEnvironment, until } from '../../harness/process.ts';
import { startPullStage, type PullStage } from '../../harness/pull-stage.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { lacks, mayNot } from '../../harness/tools.ts';
import { available } from '../faults/machine.ts';
import { descriptorOf, parseStrace, stringsOf, type Call } from '../faults/strace-log.ts';

const SYSCALLS =
  'write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync,rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat';
const OPTIONS = '-f --seccomp-bpf -qqq -yy -xx -s 200000 --signal=none'.split(' ');
/** Small ones in old and new folders, empty, above 1 MiB. */
const SIZES: Readonly<Record<string, number>> = {
  'a/one': 10,
  'a/two': 4096,
  'a/empty': 0,
  'a/new/three': 70_000,
  'a/new/er/four': 3_000_000,
  'b/five': 9,
};

const untraced = lacks('strace') || mayNot('trace a process', available('strace')?.why);

await withS3Server((server) => {
  test.skipIf(untraced)(
    'content, name and folders are durable before the queue hears that a message is done',
    async () => {
      await using stage = await startPullStage(server);
      const log = stage.at('strace.log');
      const args = [...OPTIONS, '-o', log, `--trace=${SYSCALLS}`, CLI_NODE, CLI_MAIN];
      const child = spawn('strace', [...args, 'pull', '--config', stage.config], {
        stdio: 'ignore',
        env: { ...plainEnvironment(), ...stage.env },
      });
      const ended = once(child, 'close');
      for (const [key, size] of Object.entries(SIZES)) await stage.put(key, Buffer.alloc(size, key));
      await until(
        'all messages to be done',
        async () => stage.acknowledged() === 6 && (await stage.isDrained()),
      );
      await stage.remove('a/one');
      await until('the removal to be done', () => stage.acknowledged() === 7);
      stopTraced(child.pid ?? 0);
      await ended;
      const calls = parseStrace(readFileSync(log, 'latin1'));

      const told = tellings(stage, calls);
      for (const key of Object.keys(SIZES)) {
        const path = stage.at(key);
        const [naming, ...others] = calls.filter(
          (call) =>
            call.name.startsWith('rename') && call.result === 0 && stringsOf(call)[1]?.toString() === path,
        );
        expect(naming, `rename to ${path}`).toBeDefined();
        expect(others).toEqual([]);
        const staged = stringsOf(naming!)[0]!.toString();
        const contentSync = calls.findLast((call) => isSync(call, staged) && call.end < naming!.begin);
        expect(contentSync, `fsync of the content of ${key}`).toBeDefined();
        for (const write of calls.filter(
          (call) => /write/.test(call.name) && descriptorOf(call).path === staged,
        ))
          expect(write.end).toBeLessThan(contentSync!.begin);
        const folderSync = calls.find((call) => isSync(call, dirname(path)) && call.begin > naming!.end);
        expect(folderSync, `fsync of the folder of ${key}`).toBeDefined();
        const [first] = told.get(`ObjectCreated:Put ${key}`) ?? [];
        expect(first, `DeleteMessage of ${key}`).toBeGreaterThan(folderSync!.end);
        for (let folder = dirname(path); folder !== stage.at(key.split('/')[0]!); folder = dirname(folder)) {
          const [making] = calls.filter(
            (call) =>
              call.name.startsWith('mkdir') && call.result === 0 && stringsOf(call)[0]?.toString() === folder,
          );
          const entrySync = calls.find((call) => isSync(call, dirname(folder)) && call.begin > making!.end);
          expect(entrySync!.end, `fsync of the entry of ${folder}`).toBeLessThan(first!);
        }
      }
      const unlinked = calls.find(
        (call) => call.name.startsWith('unlink') && stringsOf(call)[0]?.toString() === stage.at('a/one'),
      );
      const gone =
        unlinked ??
        calls.findLast(
          (call) => call.name.startsWith('rename') && stringsOf(call)[0]?.toString() === stage.at('a/one'),
        );
      const entrySync = calls.find((call) => isSync(call, stage.at('a')) && call.begin > gone!.end);
      expect(entrySync!.end).toBeLessThan(told.get('ObjectRemoved:Delete a/one')![0]!);
    },
  );
});

/** Where the process began to tell the queue that a message is done, by its event and key. */
function tellings({ proxy }: PullStage, calls: readonly Call[]): Map<string, number[]> {
  const told = new Map<string, number[]>();
  const sent = calls.filter(
    (call) =>
      /^(write|send)/.test(call.name) && call.result > 0 && descriptorOf(call).path.startsWith('TCP:'),
  );
  const texts = sent.map((call) => ({ begin: call.begin, text: stringsOf(call).map(String).join('') }));
  for (const { answer } of proxy.callsOf('ReceiveMessage'))
    for (const { Body, ReceiptHandle } of (answer?.['Messages'] ?? []) as readonly Message[]) {
      const [record] = (JSON.parse(Body) as Body).Records;
      const name = `${record?.eventName} ${record?.s3.object.key}`;
      // A handle goes to the queue to be extended, and to be deleted.
      const begins = texts.filter(
        ({ text }) => text.includes(ReceiptHandle) && !text.includes('VisibilityTimeout'),
      );
      told.set(name, [...(told.get(name) ?? []), ...begins.map(({ begin }) => begin)]);
    }
  return told;
}

interface Message {
  readonly Body: string;
  readonly ReceiptHandle: string;
}

interface Body {
  readonly Records: readonly {
    readonly eventName: string;
    readonly s3: { readonly object: { readonly key: string } };
  }[];
}

function isSync(call: Call, path: string): boolean {
  return /^(fsync|fdatasync)$/.test(call.name) && call.result === 0 && descriptorOf(call).path === path;
}

/** The process that strace has started. */
function stopTraced(pid: number): void {
  const children = readFileSync(join('/proc', String(pid), 'task', String(pid), 'children'), 'utf8');
  for (const child of children.split(' ').filter(Boolean)) process.kill(Number(child), 'SIGTERM');
}
