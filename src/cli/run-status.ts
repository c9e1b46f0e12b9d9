import { styleText } from 'node:util';
import { statusSchema, type StatusConfig } from '../config/schemas/status.ts';
import { readTokenFile } from '../config/token-file.ts';
import { toIsyncError } from '../model/isync-error.ts';
import { cutToColumns } from '../observe/columns.ts';
import { printable } from '../observe/printable.ts';
import { reportText, type ReportStyle } from '../observe/status/report-text.ts';
import { briefCommand } from './brief-command.ts';
import { EXIT, type ExitCode, exitCodeOf } from './exit-codes.ts';
import { errorText, type Output } from './output.ts';
import { askUrl } from './status/ask-url.ts';
import { lookHere, type Look, needsPerson } from './status/look.ts';
import { trustSystemCas } from './trust-system-cas.ts';

/** From one look to the next with --watch, in ms. */
const WATCH_MS = 1000;
/** Rows of a table that are shown at once, where nothing scrolls away. */
const MAX_ROWS = 20;
/** Columns where stdout is no terminal: a line of a mail or a ticket is not cut. */
const NO_TERMINAL_COLUMNS = 160;
const HOME = '\u001b[H';
const CLEAR_REST_OF_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

export const runStatus = briefCommand(statusSchema, async ({ config, output }) => {
  if (config.url?.protocol === 'https:') trustSystemCas();
  const token = config.url && config.tokenFile && readTokenFile(config.tokenFile);
  const look = (): Promise<Look> => lookAt(config, token || undefined);
  if (config.watch) return await watch(look, output);
  const found = await look();
  for (const line of lookText(found)) output.text(line);
  return output.done(summaryOf(found), exitOf(found));
});

async function lookAt({ url }: StatusConfig, token: string | undefined): Promise<Look> {
  return url === undefined ? await lookHere() : { reports: [await askUrl(url, token)], silent: [] };
}

/** Looks again and again, also while nothing answers, until a signal ends the process or nobody reads any more. */
async function watch(look: () => Promise<Look>, output: Output): Promise<ExitCode> {
  const { stdout } = process;
  let exit: ExitCode = EXIT.DONE;
  while (stdout.writable) {
    const began = performance.now();
    const shown = await look().then(
      (found) => ({ lines: lookText(found), summary: summaryOf(found), exit: exitOf(found) }),
      (thrown: unknown) => {
        const error = toIsyncError(thrown, 'INTERNAL');
        const { code, message, hint } = error;
        const lines = errorText(error).trimEnd().split('\n');
        return { lines, summary: { error: { code, message, hint } }, exit: exitCodeOf(code) };
      },
    );
    exit = shown.exit;
    if (output.json) output.done(shown.summary, exit);
    else if (stdout.isTTY) stdout.write(screenOf(shown.lines));
    else for (const line of shown.lines) output.text(line);
    await output.drained();
    const left = Math.max(0, WATCH_MS - (performance.now() - began));
    await new Promise((resolve) => setTimeout(resolve, left));
  }
  return exit;
}

/** Drawn over what is there, line by line, so that nothing flickers. */
function screenOf(lines: readonly string[]): string {
  const { rows, columns } = process.stdout;
  const room = Math.max(1, rows - 1);
  const shown =
    lines.length <= room ? lines : [...lines.slice(0, room - 1), `… ${lines.length - room + 1} more lines`];
  return `${HOME}${shown.map((line) => `${line.includes('\u001b') ? line : cutToColumns(line, columns)}${CLEAR_REST_OF_LINE}\n`).join('')}${CLEAR_BELOW}`;
}

function lookText({ reports, silent }: Look): string[] {
  const style = styleOf();
  const blocks = [
    ...reports.map((report) => reportText(report, style)),
    ...silent.map(({ command, pid, error }) => [
      style.paint(
        'critical',
        cutToColumns(`${command} (pid ${pid}): ${printable(error.message)}`, style.columns),
      ),
    ]),
  ];
  return blocks.flatMap((lines, at) => (at === 0 ? lines : ['', ...lines]));
}

function styleOf(): ReportStyle {
  const { isTTY, columns } = process.stdout;
  const looks = { title: 'bold', warning: 'yellow', critical: 'red', faint: 'dim' } as const;
  return {
    // A terminal may report 0.
    columns: isTTY ? columns || 80 : NO_TERMINAL_COLUMNS,
    maxRows: MAX_ROWS,
    paint: (kind, line) => styleText(looks[kind], line, { stream: process.stdout }),
  };
}

function summaryOf({ reports, silent }: Look): object {
  return {
    reports,
    silent: silent.map(({ command, pid, error }) => ({ command, pid, error: error.message })),
  };
}

function exitOf(found: Look): ExitCode {
  return needsPerson(found) ? EXIT.PROBLEMS : EXIT.DONE;
}
