import { z } from 'zod';
import { parseBandwidth } from '../bandwidth.ts';
import { isRecord } from '../config-file.ts';
import { flag, listOf, one, oneOf } from '../fields.ts';
import { passedOn, storeIn } from '../location.ts';
import { mapFault } from '../map-fault.ts';
import {
  headerFault,
  type MirrorOrigin,
  parseHeaderValue,
  parseKeep,
  parseKeyPart,
  parseKeyPattern,
  parseOrigin,
  parseTypes,
} from '../mirror-values.ts';
import { parseConcurrency } from '../pull-values.ts';
import { HIDDEN, secret } from '../secret.ts';
import { access, accessFaults, type StoreAccess } from '../store-access.ts';
import { parseBytes, parseDuration } from '../values.ts';

interface OriginConfig {
  readonly url: MirrorOrigin;
  /** Of an s3:// origin: what is not said is as for the AWS CLI. */
  readonly access: StoreAccess;
}

const url = one(parseOrigin);
const reached = {
  endpoint: true,
  region: true,
  pathStyle: true,
  profile: true,
  credentials: true,
  ca: true,
} as const;
const originText = url.transform((url): OriginConfig => ({ url, access: {} }));
const originMap = z
  .strictObject({ url, ...access.pick(reached).shape })
  .superRefine(checkOrigin)
  .transform(originOf);
/** A store may also say what is written there, for those who write. */
const originStore = z
  .strictObject({ url, ...access.shape })
  .superRefine(checkOrigin)
  .transform(originOf);

type OriginMap = { readonly url: MirrorOrigin } & StoreAccess;

function checkOrigin({ url, ...given }: OriginMap, context: z.core.$RefinementCtx): void {
  const fault = (key: string, message: string): void =>
    context.addIssue({ code: 'custom', path: [key], message });
  for (const { key, message } of accessFaults(given)) fault(key, message);
  if (url.kind === 's3') return;
  for (const [key, value] of Object.entries(given))
    if (value !== undefined) fault(key, 'is for an s3://BUCKET/PREFIX url only');
}

function originOf({ url, ...access }: OriginMap): OriginConfig {
  return { url, access };
}

/** An address, a map with one and how it is reached, or `store:NAME`. */
const origin = z.unknown().transform((given, context): OriginConfig => {
  const store = storeIn(given);
  if (store !== undefined) return originNamed(store, context);
  const result = (isRecord(given) ? originMap : originText).safeParse(given, { error: mapFault });
  if (result.success) return result.data;
  for (const issue of result.error.issues) context.issues.push(passedOn(issue));
  return z.NEVER;
});

/** What is wrong is told where the store is named, by the name of the setting there. */
function originNamed(
  store: NonNullable<ReturnType<typeof storeIn>>,
  context: z.core.$RefinementCtx,
): OriginConfig {
  const complain = (message: string): void => context.addIssue({ code: 'custom', message });
  if ('fault' in store) {
    complain(store.fault);
    return z.NEVER;
  }
  const result = originStore.safeParse(store.settings, { error: mapFault });
  if (result.success) return result.data;
  for (const { path, message } of result.error.issues)
    complain(`names a store ${path.length === 0 ? 'that' : `whose ${z.core.toDotPath(path)}`} ${message}`);
  return z.NEVER;
}

const origins = z.preprocess(
  (given) => (typeof given === 'string' || isRecord(given) ? [given] : given),
  z.array(origin, { error: 'is no list of origins' }).min(1, 'is empty; a rule has one origin at least'),
);

/** Header → where its value is. Names in lower case. */
const send = z
  .record(
    z.string(),
    secret(parseHeaderValue, {
      instead: 'name what holds it: { file: PATH } or { env: NAME }',
    }),
  )
  .superRefine((headers, context) => {
    const seen = new Set<string>();
    for (const name of Object.keys(headers)) {
      const low = name.toLowerCase();
      const fault = headerFault(low) ?? (seen.has(low) ? 'is there twice' : undefined);
      seen.add(low);
      if (fault !== undefined)
        context.addIssue({
          code: 'custom',
          path: [name],
          message: `is for a header that ${fault}`,
          params: HIDDEN,
        });
    }
  })
  .transform((headers) =>
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
  );

/** Each of these that is given must hold; none: every key. */
const match = z
  .strictObject({
    prefix: one(parseKeyPart).default(''),
    suffix: one(parseKeyPart).default(''),
    regex: one(parseKeyPattern).optional(),
  })
  .transform(
    ({ prefix, suffix, regex }) =>
      (key: string): boolean =>
        key.startsWith(prefix) && key.endsWith(suffix) && (regex === undefined || regex.test(key)),
  );

/** Milliseconds, 1 at least. */
const time = one((text) => parseDuration(text, 's', 1));

const timeouts = z.strictObject({
  connect: time.prefault('5s'),
  firstByte: time.prefault('10s'),
  idle: time.prefault('30s'),
  total: time.prefault('15m'),
});

/** A rule of `isync mirror`: what src/mirror/rule.ts says of each field. */
export const mirrorRule = z.strictObject({
  match: match.prefault({}),
  origins,
  key: z
    .strictObject({ strip: one(parseKeyPart).default(''), add: one(parseKeyPart).default('') })
    .prefault({}),
  send: send.prefault({}),
  keep: listOf(parseKeep).prefault('x-amz-meta-*'),
  query: oneOf('drop', 'pass').default('drop'),
  types: listOf(parseTypes),
  maxSize: one((text) => parseBytes(text, 1)).prefault('5GiB'),
  timeouts: timeouts.prefault({}),
  concurrency: one(parseConcurrency).prefault('16'),
  /** Bytes a second. */
  bwlimit: one(parseBandwidth).optional(),
  allowPrivate: flag(),
});

export type MirrorRuleConfig = z.output<typeof mirrorRule>;
