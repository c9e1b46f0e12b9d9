import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { addToken, scanOnce, startReceiver, writeTokenFile } from '../harness/cli.ts';
import type { Bench } from './bench.ts';
import type { Competitor, Took } from './contest.ts';
import { cpuOf, cpuOfEnded, numberFrom, startListening, startOwn } from './process.ts';

const DEVICE = 'edge1';
/** What `--before` is called in the table. */
export const BEFORE = 'isync before';

/** What lies between both sides: returns the port to talk to instead of the other side's. */
export type Link = (port: number) => Promise<AsyncDisposable & { readonly port: number }>;

export const LOOPBACK: Link = (port) =>
  Promise.resolve({ port, [Symbol.asyncDispose]: () => Promise.resolve() });

/** isync as a user has it, with tokens and `args`. `folder` is for the tokens. */
export async function isync(
  folder: string,
  {
    link = LOOPBACK,
    args = [],
    main,
    env = {},
  }: {
    readonly link?: Link;
    readonly args?: readonly string[];
    readonly main?: string | undefined;
    /** Besides this process's own. */
    readonly env?: Partial<Record<'sender' | 'receiver', Readonly<Record<string, string>>>>;
  } = {},
): Promise<Competitor> {
  const tokens = join(folder, 'tokens.json');
  const tokenFile = await writeTokenFile(folder, DEVICE, await addToken(DEVICE, tokens));
  return {
    async run(data, store) {
      await using receiver = await startReceiver(store, {
        main,
        env: env.receiver ?? {},
        args: ['--tokens', tokens],
      });
      await using between = await link(receiver.port);
      const to = `ws://127.0.0.1:${between.port}`;
      return await timed(
        () => cpuOf(receiver.process.pid),
        async () => {
          const { exitCode, stderr, summary } = await scanOnce(data.root, {
            main,
            env: env.sender ?? {},
            to,
            device: DEVICE,
            args: ['--token-file', tokenFile, ...args],
          });
          if (exitCode !== 0 || !summary.directories.every(({ sealed }) => sealed))
            throw new Error(`isync scan ended with ${exitCode}: ${stderr.slice(-2000)}`);
          return { copy: join(store, DEVICE), same: true };
        },
      );
    },
  };
}

/** The build that `--before` names, with its row's name; none where there is no such option. */
export async function isyncBefore(
  { before }: Bench,
  folder: string,
  options: Parameters<typeof isync>[1] = {},
): Promise<Record<string, Competitor>> {
  return before === undefined ? {} : { [BEFORE]: await isync(folder, { ...options, main: before }) };
}

/** Writes, makes durable and renames as many bytes in as many files, `atOnce` at a time, and nothing else. */
export function rawDisk(folder: string, atOnce: number): Competitor {
  return {
    async run({ sizes }, store) {
      const list = join(folder, 'sizes.json');
      await writeFile(list, JSON.stringify(sizes));
      const seconds = await numberFrom('raw-write', [list, store, atOnce], {
        UV_THREADPOOL_SIZE: String(Math.max(4, atOnce)),
      });
      return { seconds, copy: store };
    },
  };
}

/** The name of {@link nodePair} in the table. */
export const PAIR = 'a bare Node pair';

/** Two small programs of Node that do what isync promises, and nothing else. */
export function nodePair(link = LOOPBACK): Competitor {
  return {
    async run({ root }, store) {
      await using receiver = await startListening('node-pair', ['receive', store], {
        UV_THREADPOOL_SIZE: '64',
      });
      await using between = await link(receiver.port);
      return await timed(
        () => cpuOf(receiver.pid),
        async () => {
          await using sender = startOwn('node-pair', ['send', root, between.port]);
          const { exitCode, stderr } = await sender.ended;
          if (exitCode !== 0) throw new Error(`the pair ended with ${exitCode}: ${stderr.slice(-2000)}`);
          return { copy: store, same: true };
        },
      );
    },
  };
}

/** Sends as many bytes over one plain connection. */
export function rawSocket(link = LOOPBACK): Competitor {
  return {
    async run({ bytes }) {
      await using receiver = await startListening('raw-socket', ['receive']);
      await using between = await link(receiver.port);
      return { seconds: await numberFrom('raw-socket', ['send', between.port, bytes]) };
    },
  };
}

/** One file, one answer. Sends the first `count` files and reckons from them how long all would take. */
export function stopAndWait(count: number, link = LOOPBACK): Competitor {
  return {
    async run({ root, sizes }, store) {
      const copy = join(store, 'DC1');
      await mkdir(copy);
      await using receiver = await startListening('stop-and-wait', ['receive', copy]);
      await using between = await link(receiver.port);
      const seconds = await numberFrom('stop-and-wait', ['send', join(root, 'DC1'), between.port, count]);
      return { seconds: (seconds * sizes.length) / count, ...(count < sizes.length ? {} : { copy: store }) };
    },
  };
}

/**
 * The wall time of `work`, and the CPU time of what it started and, by `serverCpu`, of the server meanwhile, which is read
 * once `idle` says that the server has done.
 */
export async function timed(
  serverCpu: () => number,
  work: () => Promise<Pick<Took, 'copy' | 'same' | 'check'>>,
  idle: () => Promise<void> = () => Promise.resolve(),
): Promise<Took> {
  const [receiverBefore, senderBefore] = [serverCpu(), cpuOfEnded()];
  const started = performance.now();
  const outcome = await work();
  const seconds = (performance.now() - started) / 1000;
  const sender = cpuOfEnded() - senderBefore;
  await idle();
  return { ...outcome, seconds, cpu: { sender, receiver: serverCpu() - receiverBefore } };
}
