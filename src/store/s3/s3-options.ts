/** Where in which bucket files are kept, and how. Credentials come from the SDK's usual chain of providers. */
export interface S3StoreOptions {
  /** For those who only look and list: nothing is collected. Default false. */
  readonly readOnly?: boolean | undefined;
  readonly bucket: string;
  /** In front of every key, without slashes at its ends: 'a/b', or '' for the whole bucket. */
  readonly prefix: string;
  /** URL of the server. Default: AWS. */
  readonly endpoint?: string | undefined;
  /** Default: what the SDK finds in its environment, and `us-east-1` with an endpoint. */
  readonly region?: string | undefined;
  /** The bucket in the path of the URL instead of its host name. Default: with an endpoint. */
  readonly pathStyle?: boolean | undefined;
  /** Of the shared AWS config and credentials files. */
  readonly profile?: string | undefined;
  readonly storageClass?: string | undefined;
  readonly sse?: 'AES256' | 'aws:kms' | undefined;
  readonly sseKmsKeyId?: string | undefined;
  /** Given to every file; not every server takes tags. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** Age in ms at which an upload that nobody has gone on with is thrown away. Default: 7 days. */
  readonly abandonedAfterMs?: number | undefined;
  /**
   * Bytes of all parts in memory, those that fill and those on their way. The largest file is 10,000 times as large.
   * Default: 48 MiB.
   */
  readonly partBufferBytes?: number | undefined;
  /** How long an upload whose part is half full may get nothing, in ms, before another one may have its memory. */
  readonly bufferIdleMs?: number | undefined;
  /** Smallest part of an upload in bytes; a smaller file is put in one piece. At least 5 MiB, default 8 MiB. */
  readonly minPartBytes?: number | undefined;
}
