import { S3Client } from '@aws-sdk/client-s3';

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Where a server for tests is, and who we are there. */
export interface S3Access {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: S3Credentials;
}

/** Settings by name: those of the environment, or what a server that has been started tells. */
type Settings = Readonly<Record<string, string | undefined>>;

export function accessFrom(settings: Settings): S3Access {
  return {
    endpoint: setting(settings, 'ISYNC_TEST_S3_ENDPOINT'),
    region: settings['AWS_REGION'] ?? 'us-east-1',
    credentials: credentialsOf(settings),
  };
}

export function credentialsOf(settings: Settings): S3Credentials {
  return {
    accessKeyId: setting(settings, 'AWS_ACCESS_KEY_ID'),
    secretAccessKey: setting(settings, 'AWS_SECRET_ACCESS_KEY'),
  };
}

/** After so long without a byte a request is made again, in ms: Ceph 16.2 leaves one of ten thousand without any answer. */
const SILENCE_MS = 30_000;

export function clientFor({ endpoint, region, credentials }: S3Access): S3Client {
  return new S3Client({
    endpoint,
    region,
    credentials,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { socketTimeout: SILENCE_MS },
  });
}

/** What a process needs to be that user; nothing of this machine's own AWS settings. */
export function environmentOf(credentials: S3Credentials, region: string): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_SESSION_TOKEN: '',
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CA_BUNDLE: '',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  };
}

function setting(settings: Settings, name: string): string {
  const value = settings[name];
  if (value === undefined) throw new Error(`${name} is not set, but ISYNC_TEST_S3_ENDPOINT is`);
  return value;
}
