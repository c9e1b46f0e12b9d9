import type { PullConfig } from '../../config/schemas/pull.ts';
import type { LastingWork } from '../lasting-command.ts';
import { pullFindings } from '../pull/check.ts';
import type { Check } from './check.ts';
import { machineChecks } from './machine.ts';
import { ofFinding } from './of-finding.ts';

/** A pull holds a few connections and files, whatever it follows. */
const FILES = 256;

/** What `isync pull --check` looks at, and the machine. */
export async function* pullChecks(given: LastingWork<PullConfig>): AsyncGenerator<Check> {
  yield* machineChecks(FILES);
  for await (const finding of pullFindings(given)) yield ofFinding(finding);
}
