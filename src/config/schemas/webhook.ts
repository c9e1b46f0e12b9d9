import { z } from 'zod';
import { isWithin } from '../../model/is-within.ts';
import { flag, list, listOf, one, oneOf, path } from '../fields.ts';
import { fromFile } from '../from-file.ts';
import { parseOwner } from '../owner.ts';
import { parseBuckets, parseConcurrency, parseMaxDelete, parseMode, parseState } from '../pull-values.ts';
import { parseBoolean, parseBytes, parseCount, parseDuration } from '../values.ts';
import {
  parseHttpUrl,
  parseOptionalSync,
  parsePort,
  parseQueuePlace,
  parseSource,
  texts,
} from '../webhook-values.ts';
import { actionSettings, checkAction } from './action.ts';
import { checkKeyPair, common, fault, tls, statusSettings } from './common.ts';

export const webhookSchema = z
  .strictObject({
    port: one(parsePort).prefault('80'),
    /** Default: all where something says who may post, else loopback. */
    address: one((text) => text).optional(),
    role: oneOf('receive', 'work', 'both').default('both'),
    /** Absolute path of a file, or the URL of a broker. Default: queue.db in the state. */
    queue: fromFile(parseQueuePlace),
    /** The URL of a queue that is read in place of HTTP. */
    source: one(parseSource).optional(),
    /** Absolute path of the folder with queue.db, state.db and parked/. */
    state: fromFile(parseState('webhook')),
    ...actionSettings,
    /** Prefix → folder: objects are written there. */
    sync: fromFile(parseOptionalSync),
    tokenFile: path.optional(),
    secretPathFile: path.optional(),
    /** Networks that may post. */
    network: list(),
    insecure: flag(),
    tlsCert: tls.tlsCert,
    tlsKey: tls.tlsKey,
    trustedProxy: list(),
    publicUrl: one(parseHttpUrl).optional(),
    topic: texts,
    /** Empty: any. */
    buckets: listOf(parseBuckets),
    keyEncoding: oneOf('auto', 'form', 'raw').default('auto'),
    attempts: one(parseCount).prefault('10'),
    concurrency: one(parseConcurrency).prefault('32'),
    delete: one(parseBoolean).default(true),
    maxDelete: one(parseMaxDelete).prefault('25%'),
    queueMax: one(parseCount).prefault('1000000'),
    /** Bytes. */
    minFree: one((text) => parseBytes(text)).prefault('1GiB'),
    /** Permission bits of files that are written. */
    mode: one(parseMode).prefault('0644'),
    owner: one(parseOwner).optional(),
    /** Milliseconds. */
    grace: one((text) => parseDuration(text, 's')).prefault('30s'),
    ...statusSettings,
    ...common,
  })
  .superRefine((config, context) => {
    checkAction(config, context);
    checkKeyPair(config, context);
    if (config.source !== undefined && config.role !== 'both')
      fault(context, 'role', 'is for events that come by HTTP; a source is read and worked on in one');
    for (const { folder } of config.sync)
      if (isWithin(config.state, folder) || isWithin(folder, config.state))
        fault(
          context,
          'state',
          `must be apart from the folders of "sync", or an object could replace it: ${config.state} and ${folder}`,
        );
  });

export type WebhookConfig = z.output<typeof webhookSchema>;
