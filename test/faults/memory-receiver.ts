import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLog } from '../../src/observe/log.ts';
import { startReceiver } from '../../src/receiver/receiver.ts';
import { createMemoryContents, createMemoryStore } from '../../src/store/memory/memory-store.ts';
import type { Store } from '../../src/store/store.ts';
import type { BucketTrouble } from './bucket-trouble.ts';
import { Random } from '../../harness/random.ts';
import { UnsteadyStore } from './unsteady-store.ts';

/**
 * A receiver in front of a memory store that behaves like a bucket and outlives it, in one process:
 *
 *     node memory-receiver.ts PORT SEED
 *
 * Prints the address of a second server, as a line of JSON, where the harness
 *
 *     POST /kill       has the receiver end in the middle of whatever it does, and another one take its place
 *     POST /trouble    says what becomes of calls to the store from now on; null ends it
 *     GET /files       is told [PATH, TAG] of every file
 *     GET /file?path=  reads one
 */
const [port = '', seed = ''] = process.argv.slice(2);
const random = new Random(Number(seed));
const log = createLog('debug', undefined);
const contents = createMemoryContents();
/** A content is one array of bytes, and another content another one. */
const tags = new WeakMap<Uint8Array, string>();
let lastTag = 0;
let trouble: BucketTrouble | undefined;
let life = await begin();

const control = createServer((request, response) => {
  answer(request, response).catch((thrown: unknown) => response.writeHead(500).end(String(thrown)));
});
// A connection that is closed just when it is used again would look like a fault of the round.
control.keepAliveTimeout = 0;
control.listen(0, '127.0.0.1');
await once(control, 'listening');
process.stdout.write(
  `${JSON.stringify({ control: `http://127.0.0.1:${(control.address() as AddressInfo).port}` })}\n`,
);
process.once('SIGTERM', () => {
  void life.receiver[Symbol.asyncDispose]().then(() => process.exit(0));
});

async function begin() {
  const store = createMemoryStore(contents, { like: 'bucket' });
  const receiver = await startReceiver({
    store: new UnsteadyStore(store, random.fork(), () => trouble),
    listen: { host: '127.0.0.1', port: Number(port) },
    // A receiver that is closed is one that is killed.
    limits: { shutdownMs: 0 },
    log,
  });
  return { store, receiver };
}

/** A dead process does nothing to its store any more; what it had done just before, nobody may have been told. */
async function kill({ store, receiver }: { store: Store; receiver: AsyncDisposable }): Promise<void> {
  await store[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
  switch (`${request.method} ${pathname}`) {
    case 'POST /kill':
      await kill(life);
      life = await begin();
      return void response.end();
    case 'POST /trouble':
      trouble = ((await bodyOf(request)) ?? undefined) as BucketTrouble | undefined;
      return void response.end();
    case 'GET /files': {
      const files = [...contents.files].map(([path, { bytes }]) => [path, tagOf(bytes)]);
      return void response.end(JSON.stringify(files));
    }
    case 'GET /file': {
      const wanted = searchParams.get('path');
      const file = contents.files.values().find(({ entry }) => entry.path === wanted);
      if (file === undefined) return void response.writeHead(404).end();
      const { bytes, entry } = file;
      return void response
        .writeHead(200, { etag: tagOf(bytes), 'x-mtime-ms': entry.mtimeUs / 1000 })
        .end(bytes);
    }
    default:
      response.writeHead(404).end();
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return JSON.parse(Buffer.concat(pieces).toString());
}

function tagOf(bytes: Uint8Array): string {
  const known = tags.get(bytes);
  if (known !== undefined) return known;
  const tag = String(++lastTag);
  tags.set(bytes, tag);
  return tag;
}
