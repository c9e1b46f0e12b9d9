import { z } from 'zod';
import { common, path } from './common.ts';

export const tokenSchema = z.strictObject({ tokens: path, ...common });
