import type { AwsAccess } from '../aws/access.ts';

/** How to reach a bucket. Several of these, each with its own server and keys, may be in use in one process. */
export interface S3Access extends AwsAccess {
  readonly bucket: string;
  /** Puts the bucket into the path of the URL instead of its host name. Default: with an endpoint. */
  readonly pathStyle?: boolean | undefined;
}
