import { readText } from '../../config/read-text.ts';
import type { JobTarget } from '../job.ts';
import { openFolderTarget } from './folder/folder-target.ts';
import { openS3Target } from './s3/s3-target.ts';
import type { BackupTarget } from './target.ts';

/**
 * A target of a job, without a look at it.
 * @param job its name, which is that of its folder there
 * @throws IsyncError CONFIG_INVALID where the file of certificates can't be read
 */
export function openTarget(target: JobTarget, job: string): BackupTarget {
  if (target.kind === 'folder') return openFolderTarget({ path: target.path, job });
  const { bucket, endpoints, region, pathStyle, profile, credentials, ca } = target;
  const access = {
    bucket,
    region,
    pathStyle,
    profile,
    credentials,
    ca: ca === undefined ? undefined : readText(ca, 'the file of "ca"'),
  };
  const accesses = endpoints.length === 0 ? [access] : endpoints.map((endpoint) => ({ ...access, endpoint }));
  return openS3Target(target, job, accesses);
}
