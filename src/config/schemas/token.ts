import { z } from 'zod';
import { path } from '../fields.ts';
import { common } from './common.ts';

export const tokenSchema = z.strictObject({ tokens: path, ...common });
