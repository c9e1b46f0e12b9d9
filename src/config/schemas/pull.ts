import { z } from 'zod';
import { isWithin } from '../../model/is-within.ts';
import { flag, listOf, one, oneOf } from '../fields.ts';
import { fromFile } from '../from-file.ts';
import { parseOwner } from '../owner.ts';
import {
  parseAccount,
  parseBuckets,
  parseCommand,
  parseConcurrency,
  parseMaxDelete,
  parseMode,
  parseResync,
  parseRoleArn,
  parseState,
} from '../pull-values.ts';
import { parseQueue } from '../queue-address.ts';
import { endpoint, profile, region } from '../s3-settings.ts';
import { parseBoolean, parseBytes, parseCount, parseDuration } from '../values.ts';
import { parseOptionalSync, parseSource } from '../webhook-values.ts';
import { actionSettings, checkAction } from './action.ts';
import { common, fault, statusSettings } from './common.ts';

export const pullSchema = z
  .strictObject({
    /** Name, URL or ARN; undefined where there is a source. */
    queue: one(parseQueue).optional(),
    /** The URL of a queue of another kind that is read in its place. */
    source: one(parseSource).optional(),
    /** Empty where something else is done about events. */
    sync: fromFile(parseOptionalSync),
    ...actionSettings,
    region: region.optional(),
    profile: profile.optional(),
    roleArn: one(parseRoleArn).optional(),
    sqsEndpoint: endpoint.optional(),
    s3Endpoint: endpoint.optional(),
    fips: flag(),
    dualStack: flag(),
    /** Empty: any. */
    buckets: listOf(parseBuckets),
    bucketOwner: one(parseAccount).optional(),
    keyEncoding: oneOf('auto', 'form', 'raw').default('auto'),
    requestPayer: flag(),
    delete: one(parseBoolean).default(true),
    unmatched: oneOf('release', 'discard').default('release'),
    attempts: one(parseCount).prefault('5'),
    concurrency: one(parseConcurrency).prefault('32'),
    /** In the file and the environment: when to compare, by itself. */
    resync: one(parseResync).prefault('false'),
    /** `--resync` on the command line: compare at the start, beside what `resync` says. */
    resyncNow: flag(),
    maxDelete: one(parseMaxDelete).prefault('25%'),
    /** Permission bits. */
    mode: one(parseMode).prefault('0644'),
    /** See {@link resolveOwner}. */
    owner: one(parseOwner).optional(),
    /** Bytes. */
    minFree: one((text) => parseBytes(text)).prefault('1GiB'),
    /** Program and arguments. */
    exec: fromFile(parseCommand),
    /** Milliseconds. */
    execDelay: one((text) => parseDuration(text, 's')).prefault('2s'),
    /** Absolute path of the folder with state.db and parked/. */
    state: fromFile(parseState('pull')),
    once: flag(),
    check: flag(),
    dryRun: flag(),
    ...statusSettings,
    ...common,
  })
  .superRefine((config, context) => {
    const { sync, state } = config;
    if (config.queue === undefined && config.source === undefined) fault(context, 'queue', 'is missing');
    if (config.queue !== undefined && config.source !== undefined)
      fault(context, 'source', 'is read in place of a queue; leave one of them out');
    if (!checkAction(config, context) && sync.length === 0) fault(context, 'sync', 'is missing');
    for (const { folder } of sync)
      if (isWithin(state, folder) || isWithin(folder, state))
        fault(
          context,
          'state',
          `must be apart from the folders of "sync", or an object could replace it: ${state} and ${folder}`,
        );
  });

export type PullConfig = z.output<typeof pullSchema>;
