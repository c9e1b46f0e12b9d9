import { z } from 'zod';
import { KEEP_AT_LEAST_MS, parseAge, parseMinFree } from '../expire-values.ts';
import { flag, one, oneOf } from '../fields.ts';
import { parseCount } from '../values.ts';
import { fault } from './common.ts';
import { checkSender, sender } from './sender.ts';

export const expireSchema = z
  .strictObject({
    ...sender,
    /** Milliseconds. */
    keep: one(parseAge).optional(),
    minFree: one(parseMinFree).optional(),
    /** Milliseconds. */
    keepAtLeast: one(parseAge).default(KEEP_AT_LEAST_MS),
    maxDelete: one(parseCount).optional(),
    newest: oneOf('birthtime', 'mtime', 'name').default('birthtime'),
    dryRun: flag(),
    readBack: flag(),
  })
  .superRefine((config, context) => {
    checkSender(config, context);
    if (config.keep === undefined && config.minFree === undefined)
      fault(
        context,
        'keep',
        'is missing, and so is --min-free: one of them must say what may go, like --keep 7d or --min-free 20%',
      );
  });
