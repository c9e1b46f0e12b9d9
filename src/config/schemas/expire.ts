import { z } from 'zod';
import { parseAge, parseMinFree } from '../expire-values.ts';
import { flag, one } from '../fields.ts';
import { parseCount } from '../values.ts';
import { fault } from './common.ts';
import { checkSender, sender } from './sender.ts';

/** No directory whose seal is younger goes unless told, in ms: whoever wants to look at what has just come in has a day. */
export const DEFAULT_KEEP_AT_LEAST_MS = 86_400_000;

export const expireSchema = z
  .strictObject({
    ...sender,
    /** Milliseconds. */
    keep: one(parseAge).optional(),
    minFree: one(parseMinFree).optional(),
    /** Milliseconds. */
    keepAtLeast: one(parseAge).default(DEFAULT_KEEP_AT_LEAST_MS),
    maxDelete: one(parseCount).optional(),
    dryRun: flag(),
    readBack: flag(),
  })
  .superRefine((config, context) => {
    checkSender(config, context);
    if (config.keep === undefined && config.minFree === undefined)
      fault(context, 'keep', 'is missing, and so is --min-free: one of them must say what may go, like --keep 7d or --min-free 20%');
  });
