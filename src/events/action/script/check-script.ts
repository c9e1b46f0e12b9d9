import { accessSync, constants, statSync } from 'node:fs';
import { errnoOf, IsyncError } from '../../../model/isync-error.ts';

/**
 * @param file absolute
 * @throws IsyncError CONFIG_INVALID where it is no file that we may execute
 */
export function checkScript(file: string): void {
  const fault = faultOf(file);
  if (fault === undefined) return;
  throw new IsyncError('CONFIG_INVALID', `the script can't be run: ${fault}`, {
    path: file,
    hint: 'Name a file that is executable (chmod +x) and begins with a line such as #!/bin/sh.',
  });
}

function faultOf(file: string): string | undefined {
  try {
    if (!statSync(file).isFile()) return 'it is no file';
    accessSync(file, constants.X_OK);
    return undefined;
  } catch (error) {
    return errnoOf(error) === 'EACCES' ? 'it is not executable for this user' : String(error);
  }
}
