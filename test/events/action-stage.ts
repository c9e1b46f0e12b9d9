import { mkdtempSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { onTestFinished } from 'vitest';
import { type ActionOptions, type Actions, createActions } from '../../src/events/action/download/actions.ts';
import { BucketPool, type PoolAccess } from '../../src/events/action/bucket-pool.ts';
import type { Outcome } from '../../src/events/action/outcome.ts';
import type { Mapping } from '../../src/config/sync-map.ts';
import type { ObjectEvent } from '../../src/events/object-event.ts';
import type { PullState } from '../../src/events/state/pull-state.ts';
import type { Log, LogFields } from '../../src/model/log.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { startS3Front, type Refusal, type S3Front } from '../../harness/s3-front.ts';
import type { S3Server } from '../../harness/s3-server.ts';
import { temporaryState } from './temporary-state.ts';

export interface StageOptions extends Partial<Omit<ActionOptions, 'mappings' | 'state' | 'buckets' | 'log'>> {
  /** Prefixes and folders below the stage's own. Default: the whole bucket to `in`. */
  readonly sync?: readonly (readonly [prefix: string, folder: string])[];
  readonly access?: Partial<PoolAccess>;
}

/** A bucket, a front of it that can fail, a folder, and what brings the one into the other. */
export class ActionStage {
  readonly server: S3Server;
  readonly bucket: string;
  readonly front: S3Front;
  readonly state: PullState;
  /** What has been told of as changed, below the stage's folder. */
  readonly changed: string[] = [];
  readonly logged: { readonly message: string; readonly fields: LogFields | undefined }[] = [];
  readonly #base: string;
  #mappings: readonly Mapping[] = [];
  #actions: Actions | undefined;
  #pool: BucketPool | undefined;

  private constructor(server: S3Server, bucket: string, front: S3Front, base: string, state: PullState) {
    this.server = server;
    this.bucket = bucket;
    this.front = front;
    this.#base = base;
    this.state = state;
  }

  static async start(server: S3Server, options: StageOptions = {}): Promise<ActionStage> {
    const base = realpathSync(mkdtempSync(join(tmpdir(), 'isync-action-')));
    const front = await startS3Front(server.endpoint);
    const stage = new ActionStage(server, await server.makeBucket(), front, base, await temporaryState());
    onTestFinished(async () => {
      await stage.close();
      await front[Symbol.asyncDispose]();
      await rm(base, { recursive: true });
    });
    await stage.open(options);
    return stage;
  }

  /** Opens the actions anew, as another process would. */
  async open({ sync = [['', 'in']], access, ...options }: StageOptions = {}): Promise<void> {
    await this.close();
    this.#mappings = sync.map(([prefix, folder]) => ({ prefix, folder: join(this.#base, folder) }));
    const { endpoint } = this.front;
    const { credentials } = this.server;
    this.#pool = new BucketPool({ endpoint, credentials, ...access });
    this.#actions = await createActions({
      mappings: this.#mappings,
      state: this.state,
      buckets: this.#pool,
      changed: async (path) => void this.changed.push(path.slice(this.#base.length + 1)),
      log: logInto((message, fields) => this.logged.push({ message, fields })),
      ...options,
    });
  }

  async close(): Promise<void> {
    await this.#actions?.[Symbol.asyncDispose]();
    this.#pool?.[Symbol.dispose]();
    this.#actions = undefined;
  }

  get actions(): Actions {
    if (this.#actions === undefined) throw new Error('not open');
    return this.#actions;
  }

  path(...parts: string[]): string {
    return join(this.#base, ...parts);
  }

  read(...parts: string[]): string {
    return readFileSync(this.path(...parts), 'utf8');
  }

  /** Everything in `folder` but the store's own, folders with a slash. */
  files(folder = 'in'): string[] {
    return readdirSync(this.path(folder), { recursive: true, withFileTypes: true })
      .map(
        (each) =>
          join(each.parentPath, each.name).slice(this.path(folder).length + 1) +
          (each.isDirectory() ? '/' : ''),
      )
      .filter((each) => !each.includes('.isync/'))
      .sort();
  }

  async put(key: string, body: string | Uint8Array = `content of ${key}`): Promise<string> {
    const { ETag = '' } = await this.server.client.send(
      new PutObjectCommand({ Bucket: this.bucket, Key: key, Body: Buffer.from(body) }),
    );
    return ETag.replaceAll('"', '');
  }

  /** Puts an object of several parts: it has no MD5. */
  async putParts(Key: string, parts: readonly Buffer[]): Promise<void> {
    const { client } = this.server;
    const Bucket = this.bucket;
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    const Parts = [];
    for (const [index, Body] of parts.entries()) {
      const PartNumber = index + 1;
      const { ETag } = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }));
      Parts.push({ PartNumber, ETag });
    }
    const MultipartUpload = { Parts };
    await client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload }));
  }

  async delete(key: string, versionId?: string): Promise<void> {
    await this.server.client.send(
      new DeleteObjectCommand({ Bucket: this.bucket, Key: key, VersionId: versionId }),
    );
  }

  created(key: string, more: Partial<ObjectEvent> & Look = {}): Promise<Outcome> {
    return this.apply('created', key, more);
  }

  removed(key: string, more: Partial<ObjectEvent> & Look = {}): Promise<Outcome> {
    return this.apply('removed', key, more);
  }

  async apply(
    kind: ObjectEvent['kind'],
    key: string,
    { isLastLook = false, signal, ...more }: Partial<ObjectEvent> & Look,
  ): Promise<Outcome> {
    const mapping = this.#mappings
      .filter(({ prefix }) => key.startsWith(prefix))
      .toSorted((a, b) => b.prefix.length - a.prefix.length)[0]!;
    const below = key.slice(mapping.prefix.length);
    const event: ObjectEvent = {
      kind,
      dialect: 'aws',
      name: kind === 'created' ? 'ObjectCreated:Put' : 'ObjectRemoved:Delete',
      bucket: this.bucket,
      region: undefined,
      key,
      size: undefined,
      etag: undefined,
      versionId: undefined,
      sequencer: undefined,
      timeMs: Date.now(),
      ...more,
    };
    return await this.actions.apply(
      {
        event,
        messageId: 'm',
        attempt: 1,
        mapping,
        path: parseRelPath(below.replace(/\/$/, '')),
        kind: below.endsWith('/') ? 'folder' : 'file',
        isLastLook,
      },
      signal ?? new AbortController().signal,
    );
  }
}

/** Answers each GET of a key that begins so with the refusal. */
export function answerGets(stage: ActionStage, refusal: Refusal, key = ''): void {
  stage.front.refuse = ({ method, url = '' }: IncomingMessage) =>
    method === 'GET' && url.includes(`/${key}`) ? refusal : undefined;
}

interface Look {
  readonly isLastLook?: boolean;
  readonly signal?: AbortSignal;
}

function logInto(write: (message: string, fields: LogFields | undefined) => void): Log {
  const log: Log = { debug: write, info: write, warn: write, error: write, with: () => log };
  return log;
}
