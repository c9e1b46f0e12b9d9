import { ByteBudget } from '../../../flow/byte-budget.ts';
import type { ObjectEvent } from '../../object-event.ts';
import type { Action, Route } from '../action.ts';
import { BucketPool } from '../bucket-pool.ts';
import { AbsentKeys } from './absent-keys.ts';
import { CopiedTags } from './copied-tags.ts';
import { CopyKey } from './copy-key.ts';
import { type CopyOptions, type CopyRoute, LIMITS } from './copy-options.ts';
import { ListedLooks } from './listed-looks.ts';
import { Loops } from './loops.ts';
import { NewKeys } from './new-keys.ts';
import { ServerCopy } from './server-copy.ts';
import { checkApart, isSameServer, isSameUser } from './servers.ts';
import { SourceBuckets } from './source-buckets.ts';
import { SourceLook } from './source-look.ts';
import { StreamCopy } from './stream-copy.ts';
import { TargetBucket } from './target-bucket.ts';

/** Longest key of S3, in bytes of UTF-8. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html */
const MOST_KEY_BYTES = 1024;

/**
 * Copies objects to another bucket as events tell of them: of the key `K` to the key `PREFIX` + `K`. The copies below the prefix
 * are the action's, whoever put them there: an object replaces what is in its place, and its removal removes that. Dispose of it
 * when no call is under way.
 * @throws IsyncError CONFIG_INVALID where what is copied to is also copied from
 */
export function openCopyAction(options: CopyOptions): Action<CopyRoute> {
  checkApart(options);
  const { source: from, target: to, cut, concurrency, log } = options;
  const limits = { ...LIMITS, ...options.limits };
  using cleanup = new DisposableStack();
  const pools = [from, to].map(({ access }) => cleanup.use(new BucketPool(access, { cut, concurrency })));
  const [fromPool, toPool] = pools;
  if (fromPool === undefined || toPool === undefined) throw new Error('two pools were made');
  const source = new SourceBuckets(fromPool, from);
  const target = new TargetBucket(toPool, to);
  const tags = new CopiedTags(source, target, log);
  const isOneServer = isSameServer(from.access, to.access);
  const isOne = isOneServer && isSameUser(from.access, to.access);
  const { bucketOwner, requestPayer } = from;
  const server = new ServerCopy({ isOne, source, target, tags, limits, log, bucketOwner, requestPayer });
  const newKeys = new NewKeys();
  const budget = new ByteBudget(limits.heldBytes);
  const stream = new StreamCopy({ source, target, tags, newKeys, limits, budget });
  const look = new SourceLook(source);
  const absent = new AbsentKeys(target);
  const listed = new ListedLooks({ source, target, limits });
  const loops = new Loops(to, source, target);
  const copies = new CopyKey({
    options,
    look,
    target,
    tags,
    newKeys,
    absent,
    listed,
    loops,
    server,
    stream,
  });
  const disposables = cleanup.move();
  return {
    name: 'copy',
    needs: 'newest',
    route: (event) => routeOf(event, options, isOneServer),
    act: async (task, signal) => await copies.run(task, signal),
    [Symbol.asyncDispose]: async () => disposables[Symbol.dispose](),
  };
}

function routeOf(
  { bucket, key }: ObjectEvent,
  { source, target }: CopyOptions,
  isOneServer: boolean,
): Route<CopyRoute> {
  if (!key.startsWith(source.prefix ?? '')) return { kind: 'unmatched' };
  if (source.buckets?.includes(bucket) === false)
    return { kind: 'refused', reason: 'is in a bucket that is none of those that are followed' };
  if (isOneServer && bucket === target.bucket && key.startsWith(target.prefix))
    return { kind: 'refused', reason: 'is below the prefix of the copies: a copy of it would never end' };
  const copy = `${target.prefix}${key}`;
  if (Buffer.byteLength(copy) > MOST_KEY_BYTES)
    return {
      kind: 'refused',
      reason: `would be longer than ${MOST_KEY_BYTES} bytes behind the prefix of the copies`,
    };
  return { kind: 'task', target: { key: copy }, place: `${bucket}/${key}` };
}
