import { z } from 'zod';
import { s3Faults } from '../bucket-settings.ts';
import { location } from '../location.ts';
import { parsePlace } from '../place-address.ts';
import { s3Access } from '../s3-settings.ts';
import { one } from '../fields.ts';
import { parseDuration } from '../values.ts';
import { common, fault } from './common.ts';
import { checkReceiverAccess, receiverAccess } from './receiver-access.ts';

/** What is read, and how it is reached: of `isync ls` and `isync fetch`. */
export const place = {
  from: location(parsePlace, { isPlace: true }),
  /** Milliseconds; undefined where the command decides. */
  retryFor: one((text) => parseDuration(text, 's')).optional(),
  ...receiverAccess,
  ...s3Access,
  ...common,
};

export type PlaceConfig = z.output<z.ZodObject<typeof place>>;

export function checkPlace(config: PlaceConfig, context: z.RefinementCtx): void {
  checkReceiverAccess(config, config.from, 'place', context);
  for (const { key, message } of s3Faults(config, config.from, 'store')) fault(context, key, message);
}

export const lsSchema = z.strictObject(place).superRefine(checkPlace);
