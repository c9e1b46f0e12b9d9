import { z } from 'zod';
import { parseBandwidth } from '../bandwidth.ts';
import { parseAge, parseMinFree } from '../expire-values.ts';
import { flag, one, oneOf } from '../fields.ts';
import { fault, hookSettings, statusSettings } from './common.ts';
import { parseCount, parseDuration } from '../values.ts';
import { checkSender, sender } from './sender.ts';

export const scanSchema = z
  .strictObject({
    ...sender,
    once: flag(),
    complete: oneOf('auto', 'close-write', 'settle').default('auto'),
    /** Milliseconds. */
    settle: one((text) => parseDuration(text, 'ms', 1)).default(250),
    /** Milliseconds. */
    quiet: one((text) => parseDuration(text, 's')).default(600_000),
    newest: oneOf('birthtime', 'mtime', 'name').default('birthtime'),
    marks: oneOf('trust', 'verify').default('verify'),
    maxWatched: one(parseCount).prefault('64'),
    reopen: flag(),
    replaceDamaged: flag(),
    bwlimit: one(parseBandwidth).optional(),
    compress: flag(),
    /** Milliseconds. */
    expireKeep: one(parseAge).optional(),
    expireMinFree: one(parseMinFree).optional(),
    /** Milliseconds; 0: never. */
    maxUnsentAge: one((text) => parseDuration(text, 's')).prefault('1d'),
    /** Milliseconds; 0: never. */
    stuckAfter: one((text) => parseDuration(text, 's')).prefault('6h'),
    ...statusSettings,
    ...hookSettings,
  })
  .superRefine((config, context) => {
    checkSender(config, context);
    if (config.compress && config.to.kind !== 'receiver')
      fault(context, 'compress', 'is for a ws:// or wss:// target only');
    for (const key of ['expireKeep', 'expireMinFree'] as const)
      if (config.once && config[key] !== undefined)
        fault(context, key, 'is for a scan that goes on; after --once use "isync expire"');
  });

export type ScanConfig = z.output<typeof scanSchema>;

/** Settings of a process: where it has several scans, they have these in common. */
export const OF_PROCESS = [
  'once',
  'json',
  'logLevel',
  'logFormat',
  'stats',
  'status',
  'statusTokenFile',
] as const satisfies readonly (keyof ScanConfig)[];
