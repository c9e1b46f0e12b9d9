import { inspect } from 'node:util';
import { join } from 'node:path';
import { z } from 'zod';
import { IsyncError } from '../model/isync-error.ts';
import { isRecord } from './config-file.ts';
import { readSecretText } from './read-text.ts';
import { badValue } from './values.ts';

/** A text that is never printed: not in a message, not as JSON, not by a debugger's or a log's own means. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself, for the one call that needs it. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return '(hidden)';
  }

  toJSON(): string {
    return '(hidden)';
  }

  [inspect.custom](): string {
    return '(hidden)';
  }
}

interface SecretOptions {
  /** The cure where a config file holds the text itself. */
  readonly instead?: string;
  /** The text may stand in a config file all the same: it is half of a pair. */
  readonly plain?: true;
}

/** Every setting that is one. */
const secrets = z.registry();

/** The variables that `{ env: NAME }` may name, while settings are read: zod hands nothing down to a field. */
let environment: Environment = {};

/** Runs `parse`, whose secrets may be in `given`. */
export function withSecretsOf<T>(given: Environment, parse: () => T): T {
  const before = environment;
  environment = given;
  try {
    return parse();
  } finally {
    environment = before;
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Where a config file says that a secret is. */
const sources = {
  file: (path: string) => readSecretText(path, `the file "${path}"`).replace(/\r?\n$/, ''),
  env: (name: string) => environment[name] ?? refuse(`names the variable ${name}, which is not set`),
  credential: (name: string) =>
    readSecretText(join(credentials(), checked(name)), `the credential "${name}"`),
} as const;

/**
 * A setting whose value is never shown. It comes from the environment, or a config file says where it is:
 * `{ file: PATH }`, `{ env: NAME }`, or `{ credential: NAME }` for one that systemd passes on (LoadCredential=).
 * `parse` throws an IsyncError whose message completes a sentence that begins with the value.
 */
export function secret(
  parse: (text: string) => string,
  { instead = 'name a file that holds it: { file: PATH }', plain }: SecretOptions = {},
): z.ZodType<Secret> {
  const field = z.unknown().transform((given, context) => {
    try {
      if (given instanceof Secret) return new Secret(parse(given.reveal()));
      if (given === undefined) throw badValue('is missing');
      if (isRecord(given)) return new Secret(parse(textFrom(given)));
      if (typeof given !== 'string') throw badValue('is no single value');
      if (plain !== true) throw badValue(`does not belong into a config file; ${instead}`);
      return new Secret(parse(given));
    } catch (error) {
      if (!(error instanceof IsyncError)) throw error;
      context.addIssue({ code: 'custom', message: error.message, params: HIDDEN });
      return z.NEVER;
    }
  });
  return field.register(secrets, {});
}

/** Whether `field` is a secret, optional or not. */
export function isSecret(field: unknown): boolean {
  return field instanceof z.ZodOptional
    ? isSecret(field.unwrap())
    : field instanceof z.ZodType && secrets.has(field);
}

/** Of an issue about a value that must not be shown. */
export const HIDDEN = { hidden: true };

/** What zod calls a map or list. */
const HOLDERS: ReadonlySet<string> = new Set(['object', 'record', 'map', 'array']);

/** Whether an issue of zod is about a value that must not be shown: a secret, or one in the place of what may hold some. */
export function isAboutSecret(issue: z.core.$ZodIssue): boolean {
  if (issue.code === 'invalid_type') return HOLDERS.has(issue.expected);
  return issue.code === 'custom' && issue.params === HIDDEN;
}

function textFrom(given: Readonly<Record<string, unknown>>): string {
  const [[name, value] = ['', ''], ...more] = Object.entries(given);
  if (!isSource(name) || more.length > 0 || typeof value !== 'string' || value === '')
    throw badValue('is not one of { file: PATH }, { env: NAME } and { credential: NAME }');
  return sources[name](value);
}

function isSource(name: string): name is keyof typeof sources {
  return Object.hasOwn(sources, name);
}

/** https://systemd.io/CREDENTIALS */
function credentials(): string {
  const folder = environment['CREDENTIALS_DIRECTORY'] ?? '';
  if (folder !== '') return folder;
  return refuse('names a credential, and systemd has passed none on (CREDENTIALS_DIRECTORY is not set)');
}

function checked(name: string): string {
  return /^[\w@.-]+$/.test(name) && !/^\.+$/.test(name) ? name : refuse('is no name of a credential');
}

function refuse(predicate: string): never {
  throw badValue(predicate);
}
