import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { type Receiver, type ReceiverOptions, startReceiver } from '../../src/receiver/receiver.ts';
import { createMemoryContents, createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { putEach } from '../../src/store/put-each.ts';
import type { Store } from '../../src/store/store.ts';
import { RecordingLog } from '../recording-log.ts';

/** A memory store whose writing steps wait while the gate is shut, and what it holds. */
export function gatedStore() {
  const contents = createMemoryContents();
  const store = createMemoryStore(contents);
  let gate: PromiseWithResolvers<void> | undefined;
  const pass = async (): Promise<void> => {
    await gate?.promise;
  };
  const bytes = (path: string): Buffer | undefined => {
    const file = contents.files.get(parseRelPath(path));
    return file && Buffer.from(file.bytes);
  };
  const gated: Store = {
    capabilities: store.capabilities,
    identity: (options) => store.identity(options),
    stat: (path, options) => store.stat(path, options),
    list: (prefix, options) => store.list(prefix, options),
    read: (path, options) => store.read(path, options),
    remove: (path, options) => store.remove(path, options),
    put: async (file, bytes, digest, options) => {
      await pass();
      await store.put(file, bytes, digest, options);
    },
    putMany: (files, outcome, options) => putEach(gated, files, outcome, options),
    begin: async (file, options) => {
      const upload = await store.begin(file, options);
      return {
        get offset() {
          return upload.offset;
        },
        write: async (...chunks) => {
          await pass();
          await upload.write(...chunks);
        },
        commit: async (digest) => {
          await pass();
          await upload.commit(digest);
        },
        abort: () => upload.abort(),
        suspend: () => upload.suspend(),
      };
    },
    sync: (directory, options) => store.sync(directory, options),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
  return {
    contents,
    store: gated,
    shut: () => {
      gate ??= Promise.withResolvers();
    },
    open: () => {
      gate?.resolve();
      gate = undefined;
    },
    paths: () => [...contents.files.keys()].toSorted(),
    bytes,
    text: (path: string) => bytes(path)?.toString(),
  };
}

/** A receiver on a free loopback port that ends with the test. */
export async function receiverFor(
  store: Store,
  options: Partial<ReceiverOptions> = {},
): Promise<{ receiver: Receiver; url: string; log: RecordingLog }> {
  const log = new RecordingLog();
  const receiver = await startReceiver({ store, listen: { host: '127.0.0.1', port: 0 }, log, ...options });
  onTestFinished(() => receiver[Symbol.asyncDispose]());
  return { receiver, url: receiver.url, log };
}

/** A folder that goes away with the test. */
export async function temporaryFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'isync-receiver-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}
