import { z } from 'zod';
import { parseBandwidth } from '../bandwidth.ts';
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
  });
