import { ignorePatterns } from '../config/schemas/sender.ts';
import { verifySchema } from '../config/schemas/verify.ts';
import type { Problem } from '../model/problem.ts';
import { WATCH_MARKER } from '../model/markers.ts';
import { printable } from '../observe/printable.ts';
import { formatBytes, formatCount } from '../observe/units.ts';
import { verify } from '../sender/verify.ts';
import { EXIT } from './exit-codes.ts';
import { lastingCommand } from './lasting-command.ts';
import { openTarget } from './open-target.ts';

/** Most differences that `--json` lists, so that it prints some megabytes at most. All are counted. */
const MAX_DIFFERENCES_KEPT = 10_000;

export const runVerify = lastingCommand(verifySchema, 'stopping', async (given) => {
  const { config, output, screen, log, signal, cut } = given;
  const seen = { files: 0, bytes: 0 };
  screen.showProgress(() => seen);
  await using opened = await openTarget(config, {
    mode: 'read',
    endsByItself: true,
    signal,
    cut,
    log,
  });
  const differences: Problem[] = [];
  const summary = await verify({
    root: config.root,
    target: opened.target,
    tag: config.tag,
    ignore: ignorePatterns(config),
    quick: config.quick,
    repair: config.repair,
    replaceDamaged: config.replaceDamaged,
    signal,
    onDifference(problem) {
      if (differences.length < MAX_DIFFERENCES_KEPT) differences.push(problem);
      output.text(differenceLine(problem));
    },
    onRetired: (directory, atMs) =>
      output.text(
        `retired ${printable(directory)}: by the target at ${new Date(atMs).toISOString()}; this is the only copy`,
      ),
    onProgress: (files, bytes) => void Object.assign(seen, { files, bytes }),
  });
  const { different, missing, extra, damaged, problems } = summary;
  const wrong = different + missing + extra + damaged + problems;
  const counts = [
    `${formatCount(summary.files, 'file')}, ${formatBytes(summary.bytes)} compared`,
    `${different} different`,
    `${missing} missing`,
    `${extra} extra`,
    `${damaged} damaged`,
    formatCount(problems, 'problem'),
    ...(summary.expired > 0 ? [`${summary.expired} expired here`] : []),
    ...(summary.retired > 0 ? [`${summary.retired} retired at the target`] : []),
    ...(config.repair ? [`${summary.repaired} to be sent again`] : []),
  ];
  output.text(counts.join(', '));
  return output.done({ ...summary, differences }, wrong > 0 ? EXIT.PROBLEMS : EXIT.DONE);
});

/**
 * Returns `different PATH`, `missing PATH`, `extra PATH`, `damaged PATH: why` or `problem PATH: why [CODE]`; for our marker
 * the reason is always there.
 */
export function differenceLine({ code, path, message }: Problem): string {
  if (code === 'SOURCE_DAMAGED') return `damaged ${printable(path)}: ${printable(message)}`;
  if (code === 'DIFFERENT' || code === 'MISSING' || code === 'EXTRA') {
    const line = `${code.toLowerCase()} ${printable(path)}`;
    return path.endsWith(`/${WATCH_MARKER}`) ? `${line}: ${printable(message)}` : line;
  }
  return `problem ${printable(path)}: ${printable(message)} [${code}]`;
}
