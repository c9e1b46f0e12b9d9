import { z } from 'zod';
import { flag, path } from '../fields.ts';
import { common } from './common.ts';

export const tokenSchema = z.strictObject({
  tokens: path,
  /** Of `add`: whether the token is for reading. */
  read: flag(),
  ...common,
});
