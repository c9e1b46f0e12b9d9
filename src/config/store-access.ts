import { z } from 'zod';
import { notEmpty, path } from './fields.ts';
import {
  endpoint,
  partMemory,
  pathStyle,
  profile,
  region,
  sse,
  sseKmsKeyId,
  storageClass,
  tags,
} from './s3-settings.ts';
import { secret } from './secret.ts';

/** How to reach a bucket, and what to write there; what is not said is as for any other. */
export const access = z.strictObject({
  endpoint: endpoint.optional(),
  region: region.optional(),
  pathStyle: pathStyle.optional(),
  profile: profile.optional(),
  credentials: z
    .strictObject({
      accessKeyId: secret(notEmpty, { plain: true }),
      secretAccessKey: secret(notEmpty),
      sessionToken: secret(notEmpty).optional(),
    })
    .optional(),
  /** A file with the certificates of the authorities to trust there (PEM). */
  ca: path.optional(),
  storageClass: storageClass.optional(),
  sse: sse.optional(),
  sseKmsKeyId: sseKmsKeyId.optional(),
  partMemory: partMemory.optional(),
  tags,
});

export type StoreAccess = Partial<z.output<typeof access>>;

/** What is wrong with settings together. */
export function accessFaults({
  profile,
  credentials,
  sse,
  sseKmsKeyId,
}: StoreAccess): readonly AccessFault[] {
  const faults: AccessFault[] = [];
  if (profile !== undefined && credentials !== undefined)
    faults.push({ key: 'profile', message: 'is given beside credentials; which of the two is meant?' });
  if (sseKmsKeyId !== undefined && sse !== 'aws:kms')
    faults.push({ key: 'sseKmsKeyId', message: 'needs sse: aws:kms as well' });
  return faults;
}

export interface AccessFault {
  readonly key: string;
  readonly message: string;
}
