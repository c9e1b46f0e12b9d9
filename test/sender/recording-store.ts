import type { RelPath } from '../../src/model/rel-path.ts';
import { putEach } from '../../src/store/put-each.ts';
import type { Store, Upload } from '../../src/store/store.ts';

/** A store that tells in which order things became durable, and that can be made to hold or refuse them. */
export interface RecordingStore extends Store {
  /** "put PATH", "commit PATH" and "sync PATH", each when it was done. */
  readonly done: readonly string[];
  /** Called before each put and begin; may wait, may throw. */
  before: (path: RelPath) => void | Promise<void>;
}

export function recordingStore(store: Store): RecordingStore {
  const done: string[] = [];
  const recorded: RecordingStore = {
    done,
    before: () => {},
    capabilities: store.capabilities,
    identity: (options) => store.identity(options),
    stat: (path, options) => store.stat(path, options),
    list: (prefix, options) => store.list(prefix, options),
    read: (path, options) => store.read(path, options),
    remove: (path, options) => store.remove(path, options),
    async put(file, bytes, digest, options) {
      await recorded.before(file.path);
      await store.put(file, bytes, digest, options);
      done.push(`put ${file.path}`);
    },
    putMany: (files, outcome, options) => putEach(recorded, files, outcome, options),
    async begin(file, options) {
      await recorded.before(file.path);
      const upload = await store.begin(file, options);
      return recordedUpload(upload, () => done.push(`commit ${file.path}`));
    },
    async sync(directory, options) {
      await store.sync(directory, options);
      done.push(`sync ${directory}`);
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
  return recorded;
}

function recordedUpload(upload: Upload, onCommit: () => void): Upload {
  return {
    get offset() {
      return upload.offset;
    },
    write: (...chunks) => upload.write(...chunks),
    async commit(digest) {
      await upload.commit(digest);
      onCommit();
    },
    abort: () => upload.abort(),
    suspend: () => upload.suspend(),
  };
}
