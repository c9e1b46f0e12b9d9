import type { SenderConfig } from '../../config/schemas/sender.ts';
import { checkSeparate } from '../separate-folders.ts';
import { bucketChecks } from './bucket.ts';
import { type Check, failure } from './check.ts';
import { receiverChecks } from './receiver-target.ts';
import { folderChecks, readableChecks } from './store-folder.ts';

/** @param how `readOnly`: nothing is sent there, so that nothing need be allowed but to read */
export async function* targetChecks(
  config: SenderConfig,
  { readOnly }: { readonly readOnly: boolean },
): AsyncGenerator<Check> {
  const { root, to } = config;
  if (to.kind === 'receiver') yield* receiverChecks(config, to.url);
  else if (to.kind === 's3') yield* bucketChecks(to, config, { readOnly });
  else yield* targetFolderChecks(root, to.path, readOnly);
}

async function* targetFolderChecks(root: string, path: string, readOnly: boolean): AsyncGenerator<Check> {
  try {
    await checkSeparate(root, path);
  } catch (error) {
    yield failure('store', error);
    return;
  }
  yield* readOnly ? readableChecks(path) : folderChecks(path);
}
