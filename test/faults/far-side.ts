import { setTimeout as sleep } from 'node:timers/promises';
import { faultyProxy, type FaultyProxy } from '../../harness/faulty-proxy.ts';
import { BucketLink } from './bucket-link.ts';
import { bucketServer } from './bucket-server.ts';
import type { Stage } from './fault.ts';
import { MemoryVictim } from './memory-victim.ts';
import type { Place } from './open-copy.ts';
import { freePort, type Ground, type Setup } from './round-setup.ts';
import { Victim } from './victim.ts';

/** How often a condition is looked at, in ms. */
const LOOK_MS = 10;

/** What stands opposite of a round's sender: the store, a receiver in front of it, the links between them. */
export interface FarSide extends AsyncDisposable {
  /** What the sender is given as its target, and what it needs to reach it. */
  readonly to: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly receiver: Victim | undefined;
  readonly proxy: FaultyProxy | undefined;
  readonly bucketLink: FaultyProxy | undefined;
  readonly trouble: Stage['trouble'];
  /** Where files are kept, for whoever looks. */
  readonly place: Place;
}

export async function openFarSide(setup: Setup, ground: Ground, signal: AbortSignal): Promise<FarSide> {
  await using stack = new AsyncDisposableStack();
  const { target, device, random } = setup;
  const own = random.fork();
  const store = await openStore(setup, ground, stack);
  const base = { ...store, receiver: undefined, proxy: undefined };
  let side: Omit<FarSide, typeof Symbol.asyncDispose> = { ...base, to: store.address };
  if (target.link) {
    const port = await freePort(own);
    const receiver = openReceiver(setup, store, { port, seed: own.next() });
    stack.defer(() => receiver.destroy());
    receiver.start();
    const proxy = stack.use(await faultyProxy(port));
    side = { ...base, receiver, proxy, to: proxy.url, args: [], env: {} };
    if (receiver instanceof MemoryVictim) {
      while (receiver.control === undefined) await sleep(LOOK_MS, undefined, { signal });
      const place = { store: 'memory' as const, url: receiver.control, device };
      side = { ...side, place, trouble: async (trouble) => await receiver.trouble(trouble) };
    }
  }
  const owned = stack.move();
  return { ...side, [Symbol.asyncDispose]: async () => await owned.disposeAsync() };
}

type OpenStore = Pick<FarSide, 'args' | 'env' | 'place' | 'bucketLink' | 'trouble'> & {
  readonly address: string;
};

async function openStore(
  { target, seed, device, random }: Setup,
  { store, id }: Ground,
  stack: AsyncDisposableStack,
): Promise<OpenStore> {
  const nothing = { args: [], env: {}, bucketLink: undefined, trouble: undefined };
  if (target.store !== 'bucket')
    return { ...nothing, address: store, place: { store: 'folder', path: store, device } };
  const { access, bucket, env } = await bucketServer();
  const link = stack.use(await BucketLink.open(access.endpoint, random.fork()));
  const prefix = `round-${seed}-${id}`;
  return {
    address: `s3://${bucket}/${prefix}`,
    args: ['--s3-endpoint', link.endpoint],
    env,
    place: { store: 'bucket', access, bucket, prefix, device },
    bucketLink: link.proxy,
    trouble: async (trouble) => link.trouble(trouble),
  };
}

function openReceiver(
  { target, uid }: Setup,
  { address, args, env }: OpenStore,
  { port, seed }: { readonly port: number; readonly seed: number },
): Victim {
  if (target.store === 'memory') return new MemoryVictim({ port, seed, uid });
  const listen = ['--listen', `127.0.0.1:${port}`, '--log-level', 'debug'];
  return new Victim({ name: 'receiver', args: ['receive', address, ...args, ...listen], uid, env });
}
