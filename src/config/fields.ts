import { resolve } from 'node:path';
import { z } from 'zod';
import { IsyncError } from '../model/isync-error.ts';
import { badValue, parseBoolean, splitList } from './values.ts';

/** A setting of one text. `parse` throws an IsyncError whose message completes a sentence that begins with the value. */
export function one<T>(parse: (text: string) => T): z.ZodType<T, string> {
  return z.string({ error: notOneText }).transform(tried(parse));
}

/** A path, made absolute. */
export const path = one((text) => resolve(notEmpty(text)));

export function notEmpty(text: string): string {
  if (text === '') throw badValue('is empty');
  return text;
}

export function oneOf<const T extends string>(...choices: readonly T[]): z.ZodType<T, string> {
  return z.enum(choices, {
    error: (issue) => notOneText(issue) ?? `is none of ${choices.join(', ')}`,
  });
}

/** A setting that is on or off; off unless set. */
export function flag(): z.ZodType<boolean, string | undefined> {
  return one(parseBoolean).default(false);
}

/** A setting of several texts: each on its own, or all in one text with commas between them. Empty unless set. */
export function list(): z.ZodType<string[], string | string[] | undefined> {
  const items = z.union([z.string().transform(splitList), z.array(z.string())], {
    error: 'is neither a text nor a list of texts',
  });
  return items.default([]);
}

/** A setting of several texts, of which `parse` makes one value. It gets an empty list where nothing is set. */
export function listOf<T>(
  parse: (items: readonly string[]) => T,
): z.ZodType<T, string | string[] | undefined> {
  return list().transform(tried(parse));
}

/** Wraps `parse` for zod: an IsyncError becomes an issue. */
function tried<Given, T>(parse: (given: Given) => T): (given: Given, context: z.RefinementCtx) => T {
  return (given, context) => {
    try {
      return parse(given);
    } catch (error) {
      if (!(error instanceof IsyncError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
  };
}

/** Returns why something is not one text; undefined for a text. */
function notOneText({ input }: { readonly input?: unknown }): string | undefined {
  if (input === undefined) return 'is missing';
  if (Array.isArray(input)) return 'is given more than once';
  return typeof input === 'string' ? undefined : 'is no single value';
}
