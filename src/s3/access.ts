/** How to reach a bucket. Several of these, each with its own server and keys, may be in use in one process. */
export interface S3Access {
  readonly bucket: string;
  /** URL of the server. Default: AWS. */
  readonly endpoint?: string | undefined;
  /** Default: what the SDK finds in its environment, and `us-east-1` with an endpoint. */
  readonly region?: string | undefined;
  /** Puts the bucket into the path of the URL instead of its host name. Default: with an endpoint. */
  readonly pathStyle?: boolean | undefined;
  /** Names a section of the shared AWS config and credentials files. */
  readonly profile?: string | undefined;
  /** Default: what the SDK's chain of providers finds (environment, profile, container, instance). */
  readonly credentials?: S3Credentials | undefined;
  /**
   * Certificates (PEM) of the authorities that are trusted for this server, instead of those that the process trusts.
   * Default: those of the process.
   */
  readonly ca?: string | undefined;
}

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Comes with keys that expire. */
  readonly sessionToken?: string | undefined;
}
