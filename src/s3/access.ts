/** How to reach a bucket. Credentials come from the SDK's usual chain of providers. */
export interface S3Access {
  readonly bucket: string;
  /** URL of the server. Default: AWS. */
  readonly endpoint?: string | undefined;
  /** Default: what the SDK finds in its environment, and `us-east-1` with an endpoint. */
  readonly region?: string | undefined;
  /** The bucket in the path of the URL instead of its host name. Default: with an endpoint. */
  readonly pathStyle?: boolean | undefined;
  /** Of the shared AWS config and credentials files. */
  readonly profile?: string | undefined;
}

/** What every new object is given. */
export interface ObjectSettings {
  readonly storageClass?: string | undefined;
  readonly sse?: 'AES256' | 'aws:kms' | undefined;
  readonly sseKmsKeyId?: string | undefined;
  /** Not every server takes tags. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
}
