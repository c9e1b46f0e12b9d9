/** How to reach a service of AWS, or a server that speaks like one. Several of these may be in use in one process. */
export interface AwsAccess {
  /** URL of the server. Default: that of AWS for the region. */
  readonly endpoint?: string | undefined;
  /** Default: what the SDK finds in its environment, and `us-east-1` with an endpoint. */
  readonly region?: string | undefined;
  /** Names a section of the shared AWS config and credentials files. */
  readonly profile?: string | undefined;
  /** Default: what the SDK's chain of providers finds (environment, profile, container, instance). */
  readonly credentials?: AwsCredentials | undefined;
  /** ARN of a role that is taken on with those credentials, and again before they expire. Default: none. */
  readonly roleArn?: string | undefined;
  /** Takes the endpoint of AWS whose cryptography is validated (FIPS 140). Not with `endpoint`. Default: the SDK's environment. */
  readonly fips?: boolean | undefined;
  /** Takes the endpoint of AWS that has IPv6 addresses, too. Not with `endpoint`. Default: the SDK's environment. */
  readonly dualStack?: boolean | undefined;
  /**
   * Certificates (PEM) of the authorities that are trusted for this server, instead of those that the process trusts.
   * Default: those of the process.
   */
  readonly ca?: string | undefined;
}

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Comes with keys that expire. */
  readonly sessionToken?: string | undefined;
}
