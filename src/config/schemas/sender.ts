import { hostname } from 'node:os';
import type { z } from 'zod';
import { DEFAULT_IGNORE } from '../../model/default-ignore.ts';
import { parseDeviceName } from '../../model/device-name.ts';
import { DIGEST_ALGORITHMS } from '../../model/digest.ts';
import { s3Faults } from '../bucket-settings.ts';
import { defaultDevice } from '../default-device.ts';
import { list, one, oneOf, path } from '../fields.ts';
import { location } from '../location.ts';
import { s3Settings } from '../s3-settings.ts';
import { parseTargetAddress } from '../target-address.ts';
import { badValue, parseBoolean, parseDuration } from '../values.ts';
import { common, fault, progressSettings } from './common.ts';
import { checkReceiverAccess, receiverAccess } from './receiver-access.ts';

/** What scan and verify share: the root, and how to reach its target. */
export const sender = {
  root: path,
  to: location(parseTargetAddress),
  device: one(parseDevice).prefault(() => defaultDevice(hostname())),
  tag: one(parseTag).default(''),
  /** Besides those of `defaultIgnore`; `ignorePatterns` has both. */
  ignore: list(),
  /** Whether files are left alone whose names usually mean that they are in progress. */
  defaultIgnore: one(parseBoolean).default(true),
  digest: oneOf(...DIGEST_ALGORITHMS).default('xxh64'),
  /** Milliseconds; undefined where the command decides. */
  retryFor: one((text) => parseDuration(text, 's')).optional(),
  ...receiverAccess,
  ...s3Settings,
  ...progressSettings,
  ...common,
};

export type SenderConfig = z.output<z.ZodObject<typeof sender>>;

export function checkSender(config: SenderConfig, context: z.RefinementCtx): void {
  checkReceiverAccess(config, config.to, 'target', context);
  for (const { key, message } of s3Faults(config, config.to, 'target')) fault(context, key, message);
}

/** Returns every glob pattern of files to leave alone. */
export function ignorePatterns({
  ignore,
  defaultIgnore,
}: Pick<SenderConfig, 'ignore' | 'defaultIgnore'>): readonly string[] {
  return defaultIgnore ? [...DEFAULT_IGNORE, ...ignore] : ignore;
}

function parseDevice(text: string): string {
  try {
    return parseDeviceName(text);
  } catch {
    // parseDeviceName has this one reason, told here in the words of a setting.
    throw badValue('is no device name: 1 to 64 of A-Z a-z 0-9 "-" "_" ".", beginning with a letter or digit');
  }
}

function parseTag(text: string): string {
  if (text.includes('/')) throw badValue('has a "/"; it is the beginning of a directory name');
  return text;
}
