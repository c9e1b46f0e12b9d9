import { z } from 'zod';
import { parseAbsolutePath, parseDays } from '../backup-values.ts';
import { isRecord } from '../config-file.ts';
import { one, oneOf } from '../fields.ts';
import { passedOn } from '../location.ts';
import { mapFault } from '../map-fault.ts';
import { parseS3Address } from '../s3-address.ts';
import { endpoint } from '../s3-settings.ts';
import { access } from '../store-access.ts';
import { badValue } from '../values.ts';

/** Servers of one bucket: more would be probed than anybody has. */
const MAX_ENDPOINTS = 16;

/** The list of endpoints stands in their place, parts have their own memory, and tags are the job's. */
const { endpoint: _endpoint, partMemory: _partMemory, tags: _tags, ...reached } = access.shape;

/** Where backups go, and how a bucket is reached. */
const targetMap = z
  .strictObject({
    url: one(parsePlace),
    endpoints: z
      .array(endpoint, { error: 'is no list of URLs' })
      .min(1, 'is empty; leave it out for AWS')
      .max(MAX_ENDPOINTS, `has more than ${MAX_ENDPOINTS} servers`)
      .optional(),
    ...reached,
    lock: z.strictObject({ mode: oneOf('governance', 'compliance'), days: one(parseDays) }).optional(),
  })
  .superRefine(({ url, ...given }, context) => {
    const fault = (key: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [key], message });
    if (given.profile !== undefined && given.credentials !== undefined)
      fault('profile', 'is given beside credentials; which of the two is meant?');
    if (given.sseKmsKeyId !== undefined && given.sse !== 'aws:kms')
      fault('sseKmsKeyId', 'needs sse: aws:kms as well');
    const { endpoints = [] } = given;
    if (new Set(endpoints.map(({ href }) => href)).size < endpoints.length)
      fault('endpoints', 'names a server twice');
    if (url.kind === 's3') return;
    for (const [key, value] of Object.entries(given))
      if (value !== undefined) fault(key, 'is for an s3://BUCKET/PREFIX url only');
  });

const targetText = one(parsePlace).transform((url): BackupTargetConfig => ({ url }));

export type BackupTargetConfig = z.output<typeof targetMap>;

/** An address, or a map with one and how it is reached. */
export const backupTarget = z.unknown().transform((given, context): BackupTargetConfig => {
  const result = (isRecord(given) ? targetMap : targetText).safeParse(given, { error: mapFault });
  if (result.success) return result.data;
  for (const issue of result.error.issues) context.issues.push(passedOn(issue));
  return z.NEVER;
});

type Place =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 's3'; readonly bucket: string; readonly prefix: string };

function parsePlace(text: string): Place {
  if (/^s3:\/\//i.test(text)) return { kind: 's3', ...parseS3Address(text) };
  if (!text.startsWith('/')) throw badValue('is neither s3://BUCKET/PREFIX nor an absolute path of a folder');
  return { kind: 'folder', path: parseAbsolutePath(text) };
}

/**
 * What tells two targets apart: the place itself, however it is reached. Two servers may have a bucket of one name, but all that is kept of a
 * target goes by its name: so one of them needs another prefix.
 */
export function placeOf({ url }: BackupTargetConfig): string {
  return url.kind === 'folder' ? url.path : JSON.stringify([url.bucket, url.prefix]);
}
