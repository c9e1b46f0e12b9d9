import type { IncomingMessage } from 'node:http';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { onTestFinished } from 'vitest';
import type { Action } from '../../src/events/action/action.ts';
import type { CopyOptions, CopyRoute } from '../../src/events/action/copy/copy-options.ts';
import { openCopyAction } from '../../src/events/action/copy/open-copy-action.ts';
import type { Outcome } from '../../src/events/action/outcome.ts';
import type { ObjectEvent } from '../../src/events/object-event.ts';
import { startS3Front, type S3Front } from '../../harness/s3-front.ts';
import { keysBelow, readBack } from '../../harness/s3-objects.ts';
import type { S3Server } from '../../harness/s3-server.ts';
import { RecordingLog } from '../recording-log.ts';

export type StageOptions = Partial<Omit<CopyOptions, 'source' | 'target' | 'log'>> & {
  readonly source?: Partial<CopyOptions['source']>;
  readonly target?: Partial<CopyOptions['target']>;
  /** Reaches both buckets by one address, so that the server may copy by itself. */
  readonly isOneServer?: boolean;
};

interface Look extends Partial<ObjectEvent> {
  readonly isLastLook?: boolean;
}

/** Two buckets, a front of each that can fail and looks like a server of its own, and what copies from one to the other. */
export class CopyStage {
  readonly log = new RecordingLog();
  /** How often a key was acted on once more. */
  again = 0;

  readonly server: S3Server;
  readonly from: string;
  readonly to: string;
  readonly source: S3Front;
  readonly target: S3Front;

  private constructor(server: S3Server, from: string, to: string, source: S3Front, target: S3Front) {
    this.server = server;
    this.from = from;
    this.to = to;
    this.source = source;
    this.target = target;
  }

  static async start(server: S3Server): Promise<CopyStage> {
    const [source, target] = [await startS3Front(server.endpoint), await startS3Front(server.endpoint)];
    const stage = new CopyStage(server, await server.makeBucket(), await server.makeBucket(), source, target);
    onTestFinished(async () => {
      await source[Symbol.asyncDispose]();
      await target[Symbol.asyncDispose]();
    });
    return stage;
  }

  /** Opens the action, as one worker of several. It ends with the test. */
  open({ source, target, isOneServer = false, ...options }: StageOptions = {}): Worker {
    const { credentials } = this.server;
    const [from, to] = [this.source, isOneServer ? this.source : this.target];
    const action = openCopyAction({
      source: { access: { endpoint: from.endpoint, credentials }, ...source },
      target: { access: { endpoint: to.endpoint, credentials }, bucket: this.to, prefix: '', ...target },
      lookedAgain: () => void this.again++,
      log: this.log,
      ...options,
    });
    onTestFinished(async () => await action[Symbol.asyncDispose]());
    return new Worker(this, action);
  }

  async put(
    key: string,
    body: string | Buffer = `content of ${key}`,
    more: Partial<PutObjectCommandInput> = {},
  ) {
    await this.server.client.send(
      new PutObjectCommand({ Bucket: this.from, Key: key, Body: Buffer.from(body), ...more }),
    );
  }

  async putCopy(key: string, body: string | Buffer): Promise<void> {
    await this.server.client.send(
      new PutObjectCommand({ Bucket: this.to, Key: key, Body: Buffer.from(body) }),
    );
  }

  async delete(key: string): Promise<void> {
    await this.server.client.send(new DeleteObjectCommand({ Bucket: this.from, Key: key }));
  }

  async text(key: string): Promise<string> {
    const { Body } = await this.server.client.send(new GetObjectCommand({ Bucket: this.to, Key: key }));
    return (await Body?.transformToString()) ?? '';
  }

  async head(key: string, bucket = this.to) {
    return await this.server.client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
  }

  async digest(bucket: string, key: string): Promise<string> {
    return (await readBack(this.server, bucket, key)).sha256;
  }

  async tags(key: string): Promise<Record<string, string>> {
    const { TagSet = [] } = await this.server.client.send(
      new GetObjectTaggingCommand({ Bucket: this.to, Key: key }),
    );
    return Object.fromEntries(TagSet.map(({ Key = '', Value = '' }) => [Key, Value]));
  }

  /** Keys of uploads under way to the target. */
  async uploads(): Promise<(string | undefined)[]> {
    const { Uploads = [] } = await this.server.client.send(
      new ListMultipartUploadsCommand({ Bucket: this.to }),
    );
    return Uploads.map(({ Key }) => Key);
  }

  /** Puts an object of several parts: it has no MD5. */
  async putParts(Key: string, parts: readonly Buffer[]): Promise<void> {
    const { client } = this.server;
    const Bucket = this.from;
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    const Parts = [];
    for (const [index, Body] of parts.entries()) {
      const PartNumber = index + 1;
      const { ETag } = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }));
      Parts.push({ PartNumber, ETag });
    }
    await client.send(
      new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }),
    );
  }

  /** Methods of the requests so far that change something. */
  writes(): string[] {
    return [...this.source.asked, ...this.target.asked]
      .map(({ method }) => method)
      .filter((method) => method !== 'GET' && method !== 'HEAD');
  }

  async startUpload(Key: string): Promise<void> {
    await this.server.client.send(new CreateMultipartUploadCommand({ Bucket: this.to, Key }));
  }

  /** Holds back the next request that changes something before the server has any of it, or all requests after it. */
  holdWrite(when: 'before' | 'after' = 'before'): { readonly reached: Promise<void>; release(): void } {
    const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let isDone = false;
    const hold = async ({ method }: IncomingMessage): Promise<void> => {
      if (!isDone && (method === 'GET' || method === 'HEAD')) return;
      if (!isDone && when === 'after') {
        isDone = true;
        return;
      }
      if (when === 'before') [this.source.before, this.target.before] = [undefined, undefined];
      reached.resolve();
      await released.promise;
    };
    [this.source.before, this.target.before] = [hold, hold];
    const release = (): void => {
      [this.source.before, this.target.before] = [undefined, undefined];
      released.resolve();
    };
    return { reached: reached.promise, release };
  }

  copies(): Promise<string[]> {
    return keysBelow(this.server, this.to);
  }
}

export class Worker {
  readonly stage: CopyStage;
  readonly action: Action<CopyRoute>;

  constructor(stage: CopyStage, action: Action<CopyRoute>) {
    this.stage = stage;
    this.action = action;
  }

  created(key: string, more: Look = {}): Promise<Outcome> {
    return this.act('created', key, more);
  }

  removed(key: string, more: Look = {}): Promise<Outcome> {
    return this.act('removed', key, more);
  }

  async act(kind: ObjectEvent['kind'], key: string, { isLastLook = false, ...more }: Look): Promise<Outcome> {
    const event = eventOf({ kind, key, bucket: this.stage.from, ...more });
    const route = this.action.route(event);
    if (route.kind !== 'task') throw new Error(`the key ${'reason' in route ? route.reason : route.kind}`);
    const { target } = route;
    const task = { event, target, messageId: 'm', attempt: 1, body: () => '', isLastLook };
    return await this.action.act(task, new AbortController().signal);
  }
}

export function eventOf(more: Partial<ObjectEvent>): ObjectEvent {
  return {
    kind: 'created',
    dialect: 'ceph',
    name: 'ObjectCreated:Put',
    bucket: 'b',
    region: undefined,
    key: 'k',
    size: undefined,
    etag: undefined,
    versionId: undefined,
    sequencer: undefined,
    timeMs: Date.now(),
    ...more,
  };
}
