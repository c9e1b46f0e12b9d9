import type { scanSchema } from '../../config/schemas/scan.ts';
import { FILES_OF_SCAN } from '../open-files.ts';
import { checkSeparate } from '../separate-folders.ts';
import { bucketChecks } from './bucket.ts';
import { type Check, failure } from './check.ts';
import { machineChecks } from './machine.ts';
import { receiverChecks } from './receiver-target.ts';
import { rootChecks } from './root.ts';
import { folderChecks } from './store-folder.ts';

type ScanConfig = (typeof scanSchema)['_output'];

/** All that `isync scan` needs, with the same settings. */
export async function* scanChecks(config: ScanConfig): AsyncGenerator<Check> {
  yield* machineChecks(FILES_OF_SCAN);
  yield* rootChecks(config);
  const { to } = config;
  if (to.kind === 'receiver') yield* receiverChecks(config, to.url);
  else if (to.kind === 's3') yield* bucketChecks(to, config);
  else yield* targetFolderChecks(config.root, to.path);
}

async function* targetFolderChecks(root: string, path: string): AsyncGenerator<Check> {
  try {
    await checkSeparate(root, path);
  } catch (error) {
    yield failure('store', error);
    return;
  }
  yield* folderChecks(path);
}
