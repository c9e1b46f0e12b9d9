import type { z } from 'zod';
import { one } from '../fields.ts';
import { fromFile } from '../from-file.ts';
import { location } from '../location.ts';
import { endpoint, profile, region } from '../s3-settings.ts';
import { parseDuration } from '../values.ts';
import { parseBucketTarget, parseFile, parseForward } from '../webhook-values.ts';
import { fault } from './common.ts';

/** What is done about events beside writing files, and how to get to the buckets for that. */
export const actionSettings = {
  script: fromFile(parseFile),
  /** Milliseconds. */
  timeout: one((text) => parseDuration(text, 's', 100)).prefault('5m'),
  to: location(parseBucketTarget).optional(),
  forward: one(parseForward).optional(),
  forwardEndpoint: endpoint.optional(),
  sourceEndpoint: endpoint.optional(),
  sourceRegion: region.optional(),
  sourceProfile: profile.optional(),
  targetEndpoint: endpoint.optional(),
  targetRegion: region.optional(),
  targetProfile: profile.optional(),
};

type ActionSettings = z.output<z.ZodObject<typeof actionSettings>>;

/** Names of the settings that say what is done; one of them may be given. */
const ACTIONS = ['script', 'to', 'forward'] as const;

/** Checks that at most one action is asked for, `sync` included. Returns whether one is. */
export function checkAction(
  config: ActionSettings & { readonly sync: readonly unknown[] },
  context: z.RefinementCtx,
): boolean {
  const [first, second] = [
    ...ACTIONS.filter((name) => config[name] !== undefined),
    ...(config.sync.length > 0 ? (['sync'] as const) : []),
  ];
  if (second !== undefined && first !== undefined)
    fault(context, first, `can't be beside ${second}: one thing is done about an event`);
  if (config.to !== undefined && config.to.kind !== 's3')
    fault(context, 'to', 'is no bucket; for folders there is "sync"');
  return first !== undefined;
}
