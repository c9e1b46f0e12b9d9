import type { IsyncError } from '../../model/isync-error.ts';
import { EXIT, exitCodeOf, type ExitCode } from '../exit-codes.ts';
import type { Look } from './catalogues.ts';

/** What a command about several stores ends with: where none of them could be asked, what the first failed with. */
export function exitOf(looks: readonly Look[], hasProblems: boolean): ExitCode {
  const [first, ...more] = errorsOf(looks);
  if (first !== undefined && more.length + 1 === looks.length) return exitCodeOf(first.code);
  return hasProblems || first !== undefined ? EXIT.PROBLEMS : EXIT.DONE;
}

export function errorsOf(looks: readonly Look[]): readonly IsyncError[] {
  return looks.flatMap((look) => ('error' in look ? [look.error] : []));
}

/** For programs. */
export function errorObject({ code, message, hint, path }: IsyncError): object {
  return { code, message, hint, path };
}
