import { z } from 'zod';
import { didYouMean } from './closest.ts';
import { isRecord, type ConfigFile } from './config-file.ts';
import { one } from './fields.ts';
import { mapFault } from './map-fault.ts';
import { STORES } from './names.ts';
import { HIDDEN, isAboutSecret } from './secret.ts';
import type { Setting } from './sources.ts';
import { access, accessFaults } from './store-access.ts';
import { parseStoreAddress, type StoreAddress } from './target-address.ts';
import { badValue } from './values.ts';

const REFERENCE = /^store:(.*)$/s;

/** A store of `stores:`, or in the place of its name. */
const store = z
  .strictObject({ url: one(parseStoreUrl), ...access.shape })
  .superRefine(({ url, ...given }, context) => {
    const fault = (key: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [key], message });
    for (const { key, message } of accessFaults(given)) fault(key, message);
    if (url.kind === 's3') return;
    for (const [key, value] of Object.entries(given))
      if (value !== undefined) fault(key, 'is for an s3://BUCKET/PREFIX url only');
  })
  .transform(({ url, ...access }): StoreAddress => (url.kind === 's3' ? { ...url, access } : url));

function parseStoreUrl(text: string): StoreAddress {
  if (REFERENCE.test(text))
    throw badValue('names a store; a store has an address: a folder or s3://BUCKET/PREFIX');
  return parseStoreAddress(text);
}

export interface LocationOptions {
  /** Whether it may also be a place in a store: `store:NAME/DEVICE/DIRECTORY`. Default false. */
  readonly isPlace?: boolean;
}

/** The settings that may name a store. */
const locations = z.registry<LocationOptions>();

/** A setting that is an address, as `parse` takes it, or `store:NAME`; in a config file also a store itself. */
export function location<Address>(
  parse: (text: string) => Address,
  options: LocationOptions = {},
): z.ZodType<Address | StoreAddress> {
  const text = one(parse);
  return z
    .unknown()
    .transform((given, context) => {
      if (given instanceof NoSuchStore) {
        context.addIssue({ code: 'custom', message: given.reason });
        return z.NEVER;
      }
      const result = (isRecord(given) ? store : text).safeParse(given, { error: mapFault });
      if (result.success) return result.data;
      for (const issue of result.error.issues) context.issues.push(passedOn(issue));
      return z.NEVER;
    })
    .register(locations, options);
}

/** An issue within the value as one of the value; the path to it is put in front by zod. */
export function passedOn(issue: z.core.$ZodIssue): z.core.$ZodRawIssue {
  if (issue.code === 'unrecognized_keys') return { ...issue, input: {} };
  const { path, message } = issue;
  const params = isAboutSecret(issue) ? HIDDEN : {};
  return { code: 'custom', path, message, params, input: undefined };
}

/** The stores of the config file, while settings are read: zod hands nothing down to a field. */
let known: Stores = {};

type Stores = Readonly<Record<string, unknown>>;

/** Runs `parse`, in which {@link storeIn} finds the stores of `file`. */
export function withStoresOf<T>(file: ConfigFile | undefined, parse: () => T): T {
  const before = known;
  known = storesOf(file);
  try {
    return parse();
  } finally {
    known = before;
  }
}

/**
 * The settings of the store that a value within a setting names as `store:NAME`, or why there is none; undefined where it is something
 * else. A setting that is an address as a whole is a {@link location}.
 */
export function storeIn(
  given: unknown,
): { readonly settings: unknown } | { readonly fault: string } | undefined {
  const name = nameIn(given);
  if (name === undefined) return undefined;
  const found = storeNamed(name, known);
  return found instanceof NoSuchStore ? { fault: found.reason } : { settings: found };
}

function nameIn(value: unknown): string | undefined {
  return typeof value === 'string' ? REFERENCE.exec(value)?.[1] : undefined;
}

function storesOf(file: ConfigFile | undefined): Stores {
  const stores = file?.content.get(STORES);
  return isRecord(stores) ? stores : {};
}

/** Stands in the place of a store whose name is not known. */
class NoSuchStore {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** Returns `setting` with the store in the place of `store:NAME`, where `field` is a location and that is its value. */
export function resolveStore(setting: Setting, field: unknown, file: ConfigFile | undefined): Setting {
  const name = nameIn(setting.value);
  const options = locationOptions(field);
  if (name === undefined || options === undefined) return setting;
  const stores = storesOf(file);
  const slash = name.indexOf('/');
  if (options.isPlace !== true || slash < 0 || Object.hasOwn(stores, name))
    return { ...setting, value: storeNamed(name, stores), store: name };
  const store = name.slice(0, slash);
  return { ...setting, value: placeIn(storeNamed(store, stores), name.slice(slash)), store };
}

/** A store whose url goes on with `rest`, which begins with "/". */
function placeIn(store: unknown, rest: string): unknown {
  if (!isRecord(store) || typeof store['url'] !== 'string') return store;
  return { ...store, url: `${store['url'].replace(/\/+$/, '')}${rest}` };
}

/** Undefined where `field` is no location, optional or not. */
function locationOptions(field: unknown): LocationOptions | undefined {
  if (field instanceof z.ZodOptional) return locationOptions(field.unwrap());
  return field instanceof z.ZodType ? locations.get(field) : undefined;
}

function storeNamed(name: string, stores: Stores): unknown {
  if (!Object.hasOwn(stores, name)) return noSuchStore(name, Object.keys(stores));
  const found = stores[name] === '' ? {} : stores[name];
  return isRecord(found) ? found : new NoSuchStore('is no map of settings in the config file');
}

function noSuchStore(name: string, known: readonly string[]): NoSuchStore {
  if (known.length === 0) return new NoSuchStore(`names a store, and no config file has "${STORES}:"`);
  const near = didYouMean(
    `store:${name}`,
    known.map((other) => `store:${other}`),
  );
  return new NoSuchStore(`is none of "${STORES}:" in the config file${near}`);
}
