import { DeleteObjectCommand, paginateListObjectsV2, PutObjectCommand } from '@aws-sdk/client-s3';
import type { S3Server } from './s3-server.ts';
import { startWebhookStage, type WebhookStage } from './webhook-stage.ts';

/** A machine that copies one bucket to another one. */
export interface CopyStage extends WebhookStage {
  readonly from: string;
  readonly to: string;
  /** The settings of the copy; `configure` writes them, and what it is given beside. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly put: (bucket: string, key: string, content: string) => Promise<void>;
  readonly remove: (bucket: string, key: string) => Promise<void>;
  /** ETags by key. */
  readonly list: (bucket: string) => Promise<Record<string, string>>;
  /** Works until the queue is empty. */
  readonly workOff: () => Promise<void>;
}

export async function startCopyStage(
  server: S3Server,
  env: Readonly<Record<string, string>> = {},
): Promise<CopyStage> {
  const [from, to] = [await server.makeBucket(), await server.makeBucket()];
  const stage = await startWebhookStage({ ...server.env, ...env });
  const { client, endpoint } = server;
  const settings = {
    buckets: [from],
    to: `s3://${to}`,
    sourceEndpoint: endpoint,
    targetEndpoint: endpoint,
  };
  const configure: WebhookStage['configure'] = async (more) =>
    await stage.configure({ ...settings, ...more });
  await configure({});
  return {
    ...stage,
    from,
    to,
    settings,
    configure,
    put: async (Bucket, Key, Body) => {
      await client.send(new PutObjectCommand({ Bucket, Key, Body }));
    },
    remove: async (Bucket, Key) => {
      await client.send(new DeleteObjectCommand({ Bucket, Key }));
    },
    list: async (Bucket) => {
      const found: Record<string, string> = {};
      for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket }))
        for (const { Key = '', ETag = '' } of Contents) found[Key] = ETag;
      return found;
    },
    workOff: async () => {
      await using worker = await stage.start(['--role', 'work', '--status', '127.0.0.1:0']);
      await worker.process.until('the queue to be empty', async () => {
        const metrics = await (await fetch(`${worker.statusUrl}/metrics`)).text();
        return ['depth', 'in_hand'].every((name) => metrics.includes(`\nisync_queue_${name} 0\n`));
      });
      const { exitCode, stderr } = await worker.process.stop('SIGTERM');
      if (exitCode !== 0) throw new Error(`the worker ended with ${exitCode}: ${stderr.slice(-2000)}`);
    },
  };
}
