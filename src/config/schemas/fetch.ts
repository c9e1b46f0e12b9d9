import { z } from 'zod';
import { flag, path } from '../fields.ts';
import { progressSettings } from './common.ts';
import { checkPlace, place } from './ls.ts';

export const fetchSchema = z
  .strictObject({ ...place, into: path, overwrite: flag(), ...progressSettings })
  .superRefine(checkPlace);
