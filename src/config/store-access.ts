import { z } from 'zod';
import { notEmpty, one, path } from './fields.ts';
import { parseEndpoint, parseProfile, parseRegion } from './s3-settings.ts';
import { secret } from './secret.ts';
import { parseBoolean } from './values.ts';

/** How to reach a bucket; what is not said is as for any other. */
export const access = z.strictObject({
  endpoint: one(parseEndpoint).optional(),
  region: one(parseRegion).optional(),
  pathStyle: one(parseBoolean).optional(),
  profile: one(parseProfile).optional(),
  credentials: z
    .strictObject({
      accessKeyId: secret(notEmpty, { plain: true }),
      secretAccessKey: secret(notEmpty),
      sessionToken: secret(notEmpty).optional(),
    })
    .optional(),
  /** A file with the certificates of the authorities to trust there (PEM). */
  ca: path.optional(),
});

export type StoreAccess = z.output<typeof access>;
