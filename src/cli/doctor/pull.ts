import type { PullConfig } from '../../config/schemas/pull.ts';
import type { LastingWork } from '../lasting-command.ts';
import { pullFindings } from '../pull/check.ts';
import type { Check } from './check.ts';
import { machineChecks } from './machine.ts';

/** A pull holds a few connections and files, whatever it follows. */
const FILES = 256;
const LEVELS = { ok: 'ok', warning: 'warn', fault: 'fail' } as const;

/** What `isync pull --check` looks at, and the machine. */
export async function* pullChecks(given: LastingWork<PullConfig>): AsyncGenerator<Check> {
  yield* machineChecks(FILES);
  for await (const { level, ...finding } of pullFindings(given)) yield { ...finding, level: LEVELS[level] };
}
