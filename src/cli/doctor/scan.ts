import type { ScansConfig } from '../../config/read-scans.ts';
import type { ScanConfig } from '../../config/schemas/scan.ts';
import { FILES_OF_SCAN } from '../open-files.ts';
import { RootsApart } from '../scan/roots-apart.ts';
import { type Check, failure } from './check.ts';
import { machineChecks } from './machine.ts';
import { rootChecks } from './root.ts';
import { targetChecks } from './target.ts';

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
  yield* targetChecks(config, { readOnly: false });
}
