import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RelPath } from '../../src/model/rel-path.ts';
import { decodeReceiverMessage, decodeSenderMessage } from '../../src/protocol/codec.ts';
import { CLI_MAIN } from '../../harness/cli.ts';
import { plainEnvironment, until } from '../../harness/process.ts';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { lacks, mayNot } from '../../harness/tools.ts';
import { available } from './machine.ts';
import { descriptorOf, parseStrace, stringsOf, type Call } from './strace-log.ts';
import { messagesIn, type Recorded } from './ws-stream.ts';

/** All that moves bytes to a socket or makes a file durable, visible or marked. */
const SYSCALLS = [
  'read,readv,recvfrom,write,writev,pwrite64,pwritev,sendto,sendmsg',
  'fsync,fdatasync,rename,renameat,renameat2,link,linkat',
  'mkdir,mkdirat,chmod,fchmod,fchmodat',
].join(',');
/** Descriptors with what they stand for, and all bytes that move, in hexadecimal. */
const OPTIONS = '-f --seccomp-bpf -qqq -yy -xx -s 4000000 --signal=none'.split(' ');
/** In one message, in several, in chunks, and in folders that are made for it. */
const FILES: Readonly<Record<string, number>> = {
  a: 10,
  empty: 0,
  'sub/b': 3000,
  'sub/deep/c': 60_000,
  'sub/deep/large': 300_000,
  ...Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`more/file-${index}`, 100])),
};

const untraced = lacks('strace') || mayNot('trace a process', available('strace')?.why);

describe.skipIf(untraced)('what happens before what, seen from the kernel', () => {
  let recorded: Recording;
  beforeAll(async () => {
    recorded = await record();
  });
  afterAll(async () => await recorded[Symbol.asyncDispose]());

  test('a file is acknowledged after its content, its name and its folders are durable', () => {
    const { receiver, acknowledged, store } = recorded;
    expect(acknowledged.size).toBe(Object.keys(FILES).length + 1);
    for (const [path, { sent }] of acknowledged) {
      const final = join(store, 'edge1', path);
      const naming = only(
        receiver.filter((call) => isRename(call) && stringsOf(call)[1]?.toString() === final),
      );
      const staged = stringsOf(naming)[0]?.toString() ?? '';
      const contentSync = last(receiver, (call) => isSync(call, staged) && call.end < naming.begin);
      const writes = receiver.filter((call) => /write/.test(call.name) && descriptorOf(call).path === staged);
      expect(contentSync, `fsync of the content of ${path}`).toBeDefined();
      for (const write of writes) expect(write.end).toBeLessThan(contentSync?.begin ?? 0);
      const folderSync = receiver.find((call) => isSync(call, dirname(final)) && call.begin > naming.end);
      expect(folderSync?.end, `fsync of the folder of ${path}`).toBeLessThan(sent);
      for (let folder = dirname(final); folder !== store; folder = dirname(folder)) {
        const making = only(
          receiver.filter(
            (call) => call.name.startsWith('mkdir') && stringsOf(call)[0]?.toString() === folder,
          ),
        );
        const entrySync = receiver.find((call) => isSync(call, dirname(folder)) && call.begin > making.end);
        expect(entrySync?.end, `fsync of the entry of ${folder}`).toBeLessThan(sent);
      }
    }
  });

  test('a file is marked after its acknowledgement has come', () => {
    const { sender, acknowledged, root } = recorded;
    for (const [path, { read }] of acknowledged) {
      if (path === 'DC1/finished.parse') continue;
      const marks = sender.filter(
        (call) => call.name === 'fchmod' && descriptorOf(call).path === join(root, path),
      );
      expect(only(marks).begin, `mark of ${path}`).toBeGreaterThan(read);
    }
  });

  test('a file is durable on the device before its acknowledgement can come', () => {
    const { sender, acknowledged, root } = recorded;
    for (const [path, { read }] of acknowledged) {
      const synced = sender.find((call) => isSync(call, join(root, path)));
      expect(synced?.end, `fsync of the source of ${path}`).toBeLessThan(read);
    }
  });

  test('the marker of the parser is published last', () => {
    const { receiver, store } = recorded;
    const copy = join(store, 'edge1/');
    const names = receiver.filter(isRename).map((call) => stringsOf(call)[1]?.toString() ?? '');
    expect(names.findLast((name) => name.startsWith(copy))).toBe(`${copy}DC1/finished.parse`);
  });

  test('finished.watch is written last, when the seal has been confirmed, and is durable', () => {
    const { sender, root, sealedAt } = recorded;
    const marker = join(root, 'DC1/finished.watch');
    const naming = only(sender.filter((call) => isRename(call) && stringsOf(call)[1]?.toString() === marker));
    expect(naming.begin).toBeGreaterThan(sealedAt);
    for (const mark of sender.filter((call) => call.name === 'fchmod'))
      expect(mark.end).toBeLessThan(naming.begin);
    const temp = stringsOf(naming)[0]?.toString() ?? '';
    expect(last(sender, (call) => isSync(call, temp) && call.end < naming.begin)).toBeDefined();
    expect(last(sender, (call) => isSync(call, dirname(marker)) && call.begin > naming.end)).toBeDefined();
  });
});

interface Recording extends AsyncDisposable {
  readonly root: string;
  readonly store: string;
  /** The calls of each side. */
  readonly sender: readonly Call[];
  readonly receiver: readonly Call[];
  /** Where the receiver began to send the acknowledgement of a path, and where the sender had read it. */
  readonly acknowledged: ReadonlyMap<string, { readonly sent: number; readonly read: number }>;
  /** Where the sender had read that the directory is sealed. */
  readonly sealedAt: number;
}

async function record(): Promise<Recording> {
  const folder = await temporaryFolder('order');
  const [root, store] = [join(folder.path, 'root'), join(folder.path, 'store')];
  for (const [path, size] of Object.entries(FILES)) {
    const file = join(root, 'DC1', path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, Buffer.alloc(size, path));
  }
  writeFileSync(join(root, 'DC1', 'finished.parse'), '');
  mkdirSync(store);
  const logs = [join(folder.path, 'receiver.log'), join(folder.path, 'sender.log')] as const;
  const receiving = traced(logs[0], ['receive', store, '--listen', '127.0.0.1:0', '--json']);
  const url = await until('the receiver to listen', () => /"url":"([^"]+)"/.exec(receiving.stdout())?.[1]);
  const sending = traced(logs[1], ['scan', root, '--to', url, '--device', 'edge1', '--once']);
  await once(sending.child, 'close');
  if (!existsSync(join(root, 'DC1', 'finished.watch'))) throw new Error(`not sealed: ${sending.stdout()}`);
  stop(receiving.child);
  await once(receiving.child, 'close');
  const [receiver, sender] = logs.map((log) => parseStrace(readFileSync(log, 'latin1')));
  if (receiver === undefined || sender === undefined) throw new Error('no log');
  const read = answersIn(sender, 'read');
  const sent = answersIn(receiver, 'write');
  const acknowledged = new Map<string, { sent: number; read: number }>();
  for (const [id, path] of pathsIn(sender)) {
    const [from, to] = [sent.acks.get(id), read.acks.get(id)];
    if (from !== undefined && to !== undefined)
      acknowledged.set(path, { sent: from.first.begin, read: to.last.end });
  }
  return {
    root,
    store,
    sender,
    receiver,
    acknowledged,
    sealedAt: read.sealed?.last.end ?? Infinity,
    [Symbol.asyncDispose]: async () => await folder[Symbol.asyncDispose](),
  };
}

function traced(log: string, args: readonly string[]): { child: ChildProcess; stdout: () => string } {
  const child = spawn(
    'strace',
    [...OPTIONS, '-o', log, `--trace=${SYSCALLS}`, process.execPath, CLI_MAIN, ...args],
    { stdio: ['ignore', 'pipe', 'pipe'], env: plainEnvironment() },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return { child, stdout: () => output };
}

/** The process that strace has started. */
function stop({ pid }: ChildProcess): void {
  for (const task of readdirSync(`/proc/${pid}/task`))
    for (const child of readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean))
      process.kill(Number(child), 'SIGTERM');
}

/** Id → path of every file that the sender named. */
function pathsIn(sender: readonly Call[]): Map<number, RelPath> {
  const paths = new Map<number, RelPath>();
  for (const { payload } of messagesIn(onSocket(sender, 'write'))) {
    const message = decodeSenderMessage(payload, 'xxh64');
    if (message.type === 'open') paths.set(message.id, message.entry.path);
    if (message.type === 'files')
      for (const [index, { entry }] of message.files.entries())
        paths.set(message.firstId + index, entry.path);
  }
  return paths;
}

function answersIn(calls: readonly Call[], direction: 'read' | 'write') {
  const acks = new Map<number, Recorded>();
  let sealed: Recorded | undefined;
  for (const recorded of messagesIn(onSocket(calls, direction))) {
    const message = decodeReceiverMessage(recorded.payload, 'xxh64');
    if (message.type === 'sealed') sealed = recorded;
    if (message.type === 'ack')
      for (const { first, last } of message.ranges)
        for (let id = first; id <= last; id++) acks.set(id, recorded);
  }
  return { acks, sealed };
}

function onSocket(calls: readonly Call[], direction: 'read' | 'write'): Call[] {
  const names = direction === 'read' ? /^(read|recv)/ : /^(write|send)/;
  return calls.filter(
    (call) => names.test(call.name) && call.result > 0 && descriptorOf(call).path.startsWith('TCP:'),
  );
}

function isRename(call: Call): boolean {
  return call.name.startsWith('rename') && call.result === 0;
}

function isSync(call: Call, path: string): boolean {
  return /^(fsync|fdatasync)$/.test(call.name) && call.result === 0 && descriptorOf(call).path === path;
}

function last(calls: readonly Call[], fits: (call: Call) => boolean): Call | undefined {
  return calls.findLast(fits);
}

function only(calls: readonly Call[]): Call {
  expect(calls).toHaveLength(1);
  const [call] = calls;
  if (call === undefined) throw new Error('none');
  return call;
}
