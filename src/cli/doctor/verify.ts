import type { VerifyConfig } from '../../config/schemas/verify.ts';
import type { Check } from './check.ts';
import { machineChecks } from './machine.ts';
import { comparedRootChecks } from './root.ts';
import { targetChecks } from './target.ts';

/** It compares one directory at a time. */
const FILES = 256;

/** All that `isync verify` needs, with the same settings. */
export async function* verifyChecks(config: VerifyConfig): AsyncGenerator<Check> {
  yield* machineChecks(FILES);
  yield* comparedRootChecks(config);
  yield* targetChecks(config, { readOnly: true });
}
