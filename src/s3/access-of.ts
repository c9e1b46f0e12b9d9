import { readText } from '../config/read-text.ts';
import type { StoreAccess } from '../config/store-access.ts';
import type { S3Access } from './access.ts';

/**
 * How to reach a bucket, as settings tell it: secrets revealed, files read.
 * @throws IsyncError CONFIG_INVALID where the file of certificates can't be read
 */
export function accessOf(settings: StoreAccess): Omit<S3Access, 'bucket'> {
  const { endpoint, region, pathStyle, profile, ca } = settings;
  return {
    endpoint: endpoint?.href,
    region,
    pathStyle,
    profile,
    credentials: revealed(settings),
    ca: ca === undefined ? undefined : readText(ca, 'the file of "ca"'),
  };
}

function revealed({ credentials }: StoreAccess): S3Access['credentials'] {
  if (credentials === undefined) return undefined;
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  return {
    accessKeyId: accessKeyId.reveal(),
    secretAccessKey: secretAccessKey.reveal(),
    sessionToken: sessionToken?.reveal(),
  };
}
