import { openFilesFault, openFilesLimit } from '../open-files.ts';
import { type Check, ok, warning } from './check.ts';

/** What every command stands on. */
export function machineChecks(neededFiles: number): Check[] {
  return [checkNode(process.version), checkOpenFiles(openFilesLimit(), neededFiles)];
}

/** A Node that is too old gets no further than src/cli/main.ts, which says so. */
function checkNode(version: string): Check {
  return ok('Node', version);
}

function checkOpenFiles(limit: number | undefined, needed: number): Check {
  const name = 'open files';
  const fault = openFilesFault(limit, needed);
  if (fault !== undefined) return warning(name, fault.message, fault.hint);
  return ok(name, limit === undefined ? 'no limit is known' : `up to ${limit}`);
}
