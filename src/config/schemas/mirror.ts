import { z } from 'zod';
import { parseBandwidth } from '../bandwidth.ts';
import { s3Faults } from '../bucket-settings.ts';
import { flag, listOf, one, oneOf, path } from '../fields.ts';
import { fromFile } from '../from-file.ts';
import { location } from '../location.ts';
import { parseHttpOrigin, parseKeyGlobs, parseMirrorBucket, parseServiceEndpoint } from '../mirror-values.ts';
import { s3Settings } from '../s3-settings.ts';
import { secret } from '../secret.ts';
import { isGuessable, parseToken } from '../token-file.ts';
import { badValue, parseBytes, parseCount, parseDuration, parseHostPort } from '../values.ts';
import { parseFile } from '../webhook-values.ts';
import { common, fault, statusSettings } from './common.ts';
import { mirrorBulk } from './mirror-bulk.ts';
import { mirrorRule, type MirrorRuleConfig } from './mirror-rule.ts';

/** Parts of large objects have a fixed share of memory. */
const { s3PartMemory: _, ...s3 } = s3Settings;

export const mirrorSchema = z
  .strictObject({
    bucket: location(parseMirrorBucket),
    /** The origin of every key, in the place of rules. */
    externalEndpoint: one(parseHttpOrigin).optional(),
    /** Without "/" at its end. */
    serviceEndpoint: one(parseServiceEndpoint).optional(),
    /** Default: `redirect` with a service endpoint, else `stream`. */
    onMiss: oneOf('redirect', 'stream', 'redirect-origin').optional(),
    onHit: oneOf('stream', 'redirect').default('stream'),
    fallback: flag(),
    /** The first that matches counts. */
    rules: z.array(mirrorRule, { error: 'is no list of rules' }).default([]),
    /** Globs of keys that are never filled. */
    except: listOf(parseKeyGlobs),
    listen: one(parseHostPort).prefault('127.0.0.1:7480'),
    public: flag(),
    token: secret(parseSecret, { instead: 'name a file that holds it with "token-file"' }).optional(),
    tokenFile: path.optional(),
    /** Folder for bodies that are coming. Default: that of the system for temporary files. */
    spool: fromFile(parseFile),
    /** Bytes. */
    spoolSize: one((text) => parseBytes(text, 1)).prefault('10GiB'),
    maxFills: one(parseCount).prefault('64'),
    maxWaiting: one(parseCount).prefault('4000'),
    /** Of all fills. */
    bwlimit: one(parseBandwidth).optional(),
    /** Milliseconds. */
    grace: one((text) => parseDuration(text, 's')).prefault('60s'),
    ...statusSettings,
    ...mirrorBulk,
    ...s3,
    ...common,
  })
  .superRefine((config, context) => {
    const { bucket, rules, externalEndpoint, serviceEndpoint } = config;
    for (const { key, message } of s3Faults(config, bucket, 'store')) fault(context, key, message);
    if (bucket.kind !== 's3') fault(context, 'bucket', 'is no bucket');
    if (externalEndpoint === undefined && rules.length === 0)
      fault(context, 'externalEndpoint', 'is missing, and the config file has no "rules" in its place');
    if (externalEndpoint !== undefined && rules.length > 0)
      fault(context, 'externalEndpoint', 'is the origin where there are no "rules"; leave one of them out');
    if (serviceEndpoint === undefined) {
      const needs = (['onMiss', 'onHit'] as const).find((key) => config[key] === 'redirect');
      if (needs !== undefined) fault(context, needs, 'needs --service-endpoint as well');
      if (config.fallback) fault(context, 'fallback', 'needs --service-endpoint as well');
    }
    if (config.onMiss === 'redirect-origin' && rules.length > 0 && !rules.every(isOpenToClients))
      fault(
        context,
        'onMiss',
        'is for origins that clients can ask themselves: no s3://, and nothing in "send"',
      );
    if (config.failed !== undefined && config.failed === config.list)
      fault(context, 'failed', 'is the list itself, which is still being read when it is written');
    if (config.token !== undefined && config.tokenFile !== undefined)
      fault(
        context,
        'tokenFile',
        'is given, and the token itself (ISYNC_TOKEN) as well; which of the two is meant?',
      );
  });

export type MirrorConfig = z.output<typeof mirrorSchema>;

/** Whether a client that is sent to the first origin can get the object there. */
function isOpenToClients({ origins, send }: MirrorRuleConfig): boolean {
  return origins[0]?.url.kind === 'http' && Object.keys(send).length === 0;
}

function parseSecret(text: string): string {
  const token = parseToken(text);
  if (token === undefined) throw badValue('is no token: one line of printable ASCII without spaces');
  if (isGuessable(token))
    throw badValue('is so short that it can be guessed; make one with: openssl rand -hex 24');
  return token;
}
