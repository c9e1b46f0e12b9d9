import { z } from 'zod';
import { s3Faults } from '../bucket-settings.ts';
import { flag, one, path } from '../fields.ts';
import { location } from '../location.ts';
import { s3Settings } from '../s3-settings.ts';
import { parseStoreAddress, RECEIVER_PORT } from '../target-address.ts';
import { parseBytes, parseCount, parseDuration, parseHostPort, parseSpan } from '../values.ts';
import { checkKeyPair, common, fault, hookSettings, statusSettings, tls } from './common.ts';

/** Where `isync receive` listens unless told otherwise: reachable from this machine only. */
const DEFAULT_LISTEN = `127.0.0.1:${RECEIVER_PORT}`;

/** Shortest retention, in ms: 0 would be a slip that removes all at once. */
const MIN_RETAIN_MS = 1000;

export const receiveSchema = z
  .strictObject({
    store: location(parseStoreAddress),
    listen: one(parseHostPort).prefault(DEFAULT_LISTEN),
    tokens: path.optional(),
    insecure: flag(),
    immutable: flag(),
    /** Bytes. */
    minFree: one((text) => parseBytes(text)).optional(),
    /** Bytes. */
    maxFileSize: one((text) => parseBytes(text, 1)).optional(),
    /** Bytes for each device. */
    quota: one((text) => parseBytes(text, 1)).optional(),
    /** Milliseconds. */
    retain: one((text) => parseSpan(text, MIN_RETAIN_MS)).optional(),
    retainLast: one(parseCount).prefault('1'),
    maxConnections: one(parseCount).optional(),
    /** Milliseconds; 0: never. */
    maxUnsentAge: one((text) => parseDuration(text, 's')).prefault('1d'),
    /** Milliseconds; 0: never. */
    maxSilence: one((text) => parseDuration(text, 's')).prefault('1d'),
    ...statusSettings,
    ...hookSettings,
    ...tls,
    ...s3Settings,
    ...common,
  })
  .superRefine((config, context) => {
    checkKeyPair(config, context);
    const isS3 = config.store.kind === 's3';
    for (const { key, message } of s3Faults(config, config.store, 'store')) fault(context, key, message);
    if (isS3 && config.minFree !== undefined)
      fault(
        context,
        'minFree',
        'is for a folder only: a bucket has no disk to leave free; --quota bounds devices',
      );
    if (config.retain !== undefined && config.immutable)
      fault(context, 'retain', 'removes what --immutable is to keep for good: give one of them');
    else if (config.retain !== undefined && isS3)
      fault(
        context,
        'retain',
        'is for a folder only: let a lifecycle rule of the bucket (Expiration, by prefix) remove old objects',
      );
    if (config.tlsCa !== undefined && config.tlsCert === undefined)
      fault(context, 'tlsCa', 'asks senders for certificates, which needs --tls-cert and --tls-key as well');
  });

export type ReceiveConfig = z.output<typeof receiveSchema>;
