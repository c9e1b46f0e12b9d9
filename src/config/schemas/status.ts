import { z } from 'zod';
import { flag, one, path } from '../fields.ts';
import { parseStatusUrl } from '../status-values.ts';
import { common } from './common.ts';

export const statusSchema = z.strictObject({
  watch: flag(),
  /** Of the status page of a command, on whatever machine. Default: the commands of this one. */
  url: one(parseStatusUrl).optional(),
  /** For the `url` alone: who may use a socket of this machine needs no token. */
  tokenFile: path.optional(),
  ...common,
});

export type StatusConfig = z.output<typeof statusSchema>;
