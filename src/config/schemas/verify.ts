import { z } from 'zod';
import { flag } from '../fields.ts';
import { checkSender, sender } from './sender.ts';

export const verifySchema = z
  .strictObject({ ...sender, quick: flag(), repair: flag(), replaceDamaged: flag() })
  .superRefine(checkSender);

export type VerifyConfig = z.output<typeof verifySchema>;
