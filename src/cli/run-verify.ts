import { readConfig } from '../config/read-config.ts';
import { ignorePatterns, verifySchema } from '../config/schemas.ts';
import type { Problem } from '../model/problem.ts';
import { WATCH_MARKER } from '../model/markers.ts';
import { printable } from '../observe/printable.ts';
import { formatBytes, formatCount } from '../observe/units.ts';
import { verify } from '../sender/verify.ts';
import type { Flags } from './commands/invocation.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { openTarget } from './open-target.ts';
import type { Output } from './output.ts';
import { openScreen } from './screen.ts';
import { stopOnSignal } from './stop-signal.ts';

/** Differences that `--json` lists: some megabytes of text at most. All are counted. */
const MAX_DIFFERENCES_KEPT = 10_000;

export async function runVerify(flags: Flags, output: Output): Promise<ExitCode> {
  const config = readConfig('verify', verifySchema, { flags, environment: process.env });
  output.json = config.json;
  using screen = openScreen(config.logLevel, output);
  const { log } = screen;
  using stop = stopOnSignal((name) => log.info(`${name}: stopping`));
  const seen = { files: 0, bytes: 0 };
  screen.showProgress(() => seen);
  await using opened = await openTarget(config, {
    mode: 'read',
    endsByItself: true,
    signal: stop.signal,
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
    signal: stop.signal,
    onDifference(problem) {
      if (differences.length < MAX_DIFFERENCES_KEPT) differences.push(problem);
      output.text(differenceLine(problem));
    },
    onProgress: (files, bytes) => void Object.assign(seen, { files, bytes }),
  });
  const { different, missing, extra, damaged, problems } = summary;
  const wrong = different + missing + extra + damaged + problems;
  const exitCode = wrong > 0 ? EXIT.PROBLEMS : EXIT.DONE;
  output.object({ ...summary, differences, exitCode });
  const counts = [
    `${formatCount(summary.files, 'file')}, ${formatBytes(summary.bytes)} compared`,
    `${different} different`,
    `${missing} missing`,
    `${extra} extra`,
    `${damaged} damaged`,
    formatCount(problems, 'problem'),
    ...(config.repair ? [`${summary.repaired} to be sent again`] : []),
  ];
  output.text(counts.join(', '));
  return exitCode;
}

/** `different PATH`, `missing PATH`, `extra PATH`, `damaged PATH: why`, `problem PATH: why [CODE]`; why also for our marker. */
export function differenceLine({ code, path, message }: Problem): string {
  if (code === 'SOURCE_DAMAGED') return `damaged ${printable(path)}: ${printable(message)}`;
  if (code === 'DIFFERENT' || code === 'MISSING' || code === 'EXTRA') {
    const line = `${code.toLowerCase()} ${printable(path)}`;
    return path.endsWith(`/${WATCH_MARKER}`) ? `${line}: ${printable(message)}` : line;
  }
  return `problem ${printable(path)}: ${printable(message)} [${code}]`;
}
