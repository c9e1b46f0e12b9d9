import { tmpdir } from 'node:os';
import { bucketSettings } from '../config/bucket-settings.ts';
import type { MirrorConfig } from '../config/schemas/mirror.ts';
import { IsyncError } from '../model/isync-error.ts';
import type { MirrorSettings } from './open-mirror.ts';
import { rulesOf } from './rules-of-config.ts';
import { accessOf } from '../s3/access-of.ts';

/**
 * What a mirror is opened with, for each of its commands.
 * @throws IsyncError CONFIG_INVALID where a file of certificates can't be read
 */
export function mirrorSettings(config: MirrorConfig): MirrorSettings {
  const { bucket: at, except, serviceEndpoint, spool, spoolSize, maxFills, maxWaiting, bwlimit } = config;
  if (at.kind !== 's3') throw new IsyncError('CONFIG_INVALID', 'no bucket is named');
  const settings = bucketSettings(at, config);
  const { storageClass, sse, sseKmsKeyId, tags } = settings;
  return {
    access: { bucket: at.bucket, ...accessOf(settings) },
    prefix: at.prefix === '' ? '' : `${at.prefix}/`,
    settings: { storageClass, sse, sseKmsKeyId, tags },
    rules: rulesOf(config),
    except,
    serviceEndpoint,
    spool: { folder: spool ?? tmpdir(), maxBytes: spoolSize },
    limits: { fills: maxFills, waiting: maxWaiting, bandwidth: bwlimit },
  };
}
