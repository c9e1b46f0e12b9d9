import { s3Differences } from './s3-objects.ts';
import type { S3Server } from './s3-server.ts';
import { startReceiver, type CliOptions, type Receiver } from './cli.ts';
import { startStage, type Edge, type Stage } from './stage.ts';

/** A bucket of its own, and receivers that keep files in it. */
export interface S3Stage extends AsyncDisposable {
  readonly bucket: string;
  /** Begins the keys of everything kept. */
  readonly prefix: string;
  /** `s3://BUCKET/PREFIX` */
  readonly address: string;
  readonly stage: Stage;
  /** Flags and environment with which a process reaches it. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** What differs between a device's root and what is kept of it, in words. */
  differences(edge: Edge): Promise<string[]>;
  /** One more receiver on the same bucket. */
  another(options?: CliOptions & { readonly args?: readonly string[] }): Promise<Receiver>;
}

/** @param endpoint something in front of the server; default the server itself */
export async function startS3Stage(server: S3Server, endpoint = server.endpoint): Promise<S3Stage> {
  const bucket = await server.makeBucket();
  const prefix = 'kept/here';
  const address = `s3://${bucket}/${prefix}`;
  const args = ['--s3-endpoint', endpoint];
  const { env } = server;
  const stage = await startStage({ store: address, args, env });
  return {
    bucket,
    prefix,
    address,
    stage,
    args,
    env,
    differences: async (edge) => await s3Differences(server, bucket, `${prefix}/${edge.device}`, edge.root),
    another: async (options = {}) =>
      await startReceiver(address, {
        ...options,
        args: [...args, ...(options.args ?? [])],
        env: { ...env, ...options.env },
      }),
    [Symbol.asyncDispose]: async () => await stage[Symbol.asyncDispose](),
  };
}
