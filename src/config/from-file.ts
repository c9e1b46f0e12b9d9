import { dirname } from 'node:path';
import { z } from 'zod';
import { IsyncError } from '../model/isync-error.ts';
import type { ConfigFile } from './config-file.ts';
import type { Setting } from './sources.ts';

/** What a setting gets that depends on where it was given. */
export interface Given {
  /** As it was given: a text, list or map; undefined where it was not. */
  readonly value: unknown;
  /** Relative paths start here: the folder of the config file for what stands in it, else the working folder. */
  readonly folder: string;
  /** The config file, also where the setting does not come from it; undefined where there is none. */
  readonly file: string | undefined;
}

/** Tells what is wrong with a value; `path` leads to the part of it that is. */
export type Fault = (message: string, path?: readonly PropertyKey[]) => void;

class FromFile {
  readonly given: Given;

  constructor(given: Given) {
    this.given = given;
  }
}

/** The settings that are parsed so. */
const fields = z.registry();

/**
 * A setting whose paths are relative to the config file where they stand in it. `parse` may throw an IsyncError whose message
 * completes a sentence that begins with the value, or tell several faults.
 */
export function fromFile<T>(parse: (given: Given, fault: Fault) => T): z.ZodType<T> {
  return z
    .unknown()
    .transform((input, context) => {
      const given = input instanceof FromFile ? input.given : givenAs(input, undefined, undefined);
      try {
        return parse(given, (message, path = []) => {
          context.addIssue({ code: 'custom', message, path: [...path] });
        });
      } catch (error) {
        if (!(error instanceof IsyncError)) throw error;
        context.addIssue({ code: 'custom', message: error.message });
        return z.NEVER;
      }
    })
    .register(fields, {});
}

/** Returns the value that the schema is given for a setting, which may be missing. */
export function rawValue(
  field: unknown,
  setting: Setting | undefined,
  file: ConfigFile | undefined,
): unknown {
  if (!(field instanceof z.ZodType) || !fields.has(field)) return setting?.value;
  return new FromFile(givenAs(setting?.value, setting, file));
}

function givenAs(value: unknown, setting: Setting | undefined, file: ConfigFile | undefined): Given {
  const isInFile = setting?.origin.kind === 'file' && file !== undefined;
  return { value, folder: isInFile ? dirname(file.path) : '.', file: file?.path };
}
