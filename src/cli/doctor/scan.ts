import type { ScansConfig } from '../../config/read-scans.ts';
import type { ScanConfig } from '../../config/schemas/scan.ts';
import { FILES_OF_SCAN } from '../open-files.ts';
import { RootsApart } from '../scan/roots-apart.ts';
import { checkSeparate } from '../separate-folders.ts';
import { bucketChecks } from './bucket.ts';
import { type Check, failure } from './check.ts';
import { machineChecks } from './machine.ts';
import { receiverChecks } from './receiver-target.ts';
import { rootChecks } from './root.ts';
import { folderChecks } from './store-folder.ts';

/** All that `isync scan` needs, with the same settings; where there are several scans, each check says whose it is. */
export async function* scansChecks({ scans: { isList, all } }: ScansConfig): AsyncGenerator<Check> {
  yield* machineChecks(FILES_OF_SCAN * all.length);
  if (isList) {
    try {
      await RootsApart.of(all);
    } catch (error) {
      yield failure('roots', error);
    }
  }
  for (const { config } of all)
    for await (const check of scanChecks(config))
      yield isList ? { ...check, name: `${config.root}: ${check.name}` } : check;
}

async function* scanChecks(config: ScanConfig): AsyncGenerator<Check> {
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
