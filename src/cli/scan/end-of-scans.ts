import { showAddress } from '../../config/target-address.ts';
import { EXIT, type ExitCode, exitCodeOf } from '../exit-codes.ts';
import { type Output, shownError } from '../output.ts';
import type { OneScan, ScanEnd } from './one-scan.ts';
import { summaryLines } from './summary-lines.ts';

/** Tells how the only scan of a process has ended. Returns what to exit with. */
export function endOfScan({ summary, failure }: ScanEnd, output: Output, signal: AbortSignal): ExitCode {
  for (const line of summary === undefined ? [] : summaryLines(summary)) output.text(line);
  if (failure !== undefined || summary === undefined) return output.failed(failure, summary);
  return output.done(summary, exitCodeOfScan(summary, signal));
}

/** Tells how each of several has ended. Returns the gravest of their exit codes: codes grow with what they stand for. */
export function endOfScans(
  ends: readonly (readonly [OneScan, ScanEnd])[],
  output: Output,
  signal: AbortSignal,
): ExitCode {
  const scans = ends.map(([{ config, status }, { summary, failure }]) => {
    const { root, device } = config;
    const to = showAddress(config.to);
    const [first = 'nothing was sent', ...more] = summary === undefined ? [] : summaryLines(summary);
    output.text(`${root} → ${to} (${device}): ${first}`);
    for (const line of more) output.text(line);
    // What was sent before it began anew counts as well.
    const told = { root, to, device, ...summary, files: status.files, bytes: status.bytes };
    if (summary !== undefined && failure === undefined)
      return { ...told, exitCode: exitCodeOfScan(summary, signal) };
    const error = output.complain(failure, root);
    return { ...told, exitCode: exitCodeOf(error.code), error: shownError(error) };
  });
  const sum = (of: (scan: (typeof scans)[number]) => number): number =>
    scans.reduce((total, scan) => total + of(scan), 0);
  const summary = {
    scans,
    files: sum(({ files }) => files),
    bytes: sum(({ bytes }) => bytes),
    problemCount: sum(({ problemCount = 0 }) => problemCount),
  };
  const codes: ExitCode[] = scans.map(({ exitCode }) => exitCode);
  const worst = codes.reduce((a, b) => (a > b ? a : b), EXIT.DONE);
  return output.done(summary, worst);
}

function exitCodeOfScan(
  { problemCount }: { readonly problemCount: number },
  { aborted }: AbortSignal,
): ExitCode {
  if (aborted) return EXIT.INTERRUPTED;
  return problemCount > 0 ? EXIT.PROBLEMS : EXIT.DONE;
}
