import { lsSchema } from '../config/schemas/ls.ts';
import { type Branch, Survey } from '../fetch/survey.ts';
import type { FileEntry } from '../model/file-entry.ts';
import { IsyncError } from '../model/isync-error.ts';
import { printable } from '../observe/printable.ts';
import { formatBytes, formatCount } from '../observe/units.ts';
import { EXIT } from './exit-codes.ts';
import { openPlace } from './fetch/open-place.ts';
import { lastingCommand } from './lasting-command.ts';
import type { Output } from './output.ts';
import { tableOf } from './table.ts';

const NUMBERS: ReadonlySet<string> = new Set(['DIRECTORIES', 'SEALED', 'FILES', 'SIZE']);

export const runLs = lastingCommand(lsSchema, 'stopping', async ({ config, output, screen, ...given }) => {
  const { signal, cut, log } = given;
  await using place = await openPlace(config, { signal, cut, log });
  const { reader, name, depth } = place;
  const survey = new Survey(depth);
  screen.showProgress(() => survey);
  const onUnreadable = (folder: string, error: IsyncError): void => survey.problem(folder, error);
  for await (const entry of reader.list({ signal, onUnreadable })) survey.add(entry);
  if (survey.files === 0 && survey.problemCount === 0 && depth > 0)
    throw new IsyncError('NOT_FOUND', 'nothing is kept under this name', { path: name });
  const time = reader.listedMtime ? 'modified' : 'kept';
  for (const line of linesOf(survey, depth, time)) {
    output.text(line);
    await output.drained();
  }
  tellSum(output, survey);
  const { branches, entries, files, bytes, left, problemCount, problems } = survey;
  for (const { path, code, message } of problems)
    output.text(`problem ${printable(path)}: ${printable(message)} [${code}]`);
  const summary = {
    place: name,
    ...(depth === 0 && { devices: branches.map((branch) => deviceObject(branch, time)) }),
    ...(depth === 1 && { directories: branches.map((branch) => directoryObject(branch, time)) }),
    entries: entries.map(({ path, size, mtimeUs }) => ({ path, size, [time]: isoOf(mtimeUs) })),
    files,
    bytes,
    left,
    problemCount,
    problems,
  };
  return output.done(summary, problemCount > 0 ? EXIT.PROBLEMS : EXIT.DONE);
});

function linesOf({ branches, entries }: Survey, depth: number, time: string): readonly string[] {
  const newest = time.toUpperCase();
  return [
    ...(depth === 0
      ? tableOf(
          ['DEVICE', 'DIRECTORIES', 'SEALED', 'FILES', 'SIZE', newest],
          NUMBERS,
          branches.map(deviceLine),
        )
      : tableOf(['DIRECTORY', 'STATE', 'FILES', 'SIZE', newest], NUMBERS, branches.map(directoryLine))),
    ...tableOf(['SIZE', newest, 'FILE'], NUMBERS, entries.map(fileLine)),
  ];
}

function deviceLine({ name, directories, sealed, files, bytes, newestUs }: Branch): readonly string[] {
  return [printable(name), countOf(directories), countOf(sealed), ...sumsOf({ files, bytes, newestUs })];
}

function directoryLine({ name, sealed, files, bytes, newestUs }: Branch): readonly string[] {
  return [printable(name), sealed > 0 ? 'sealed' : '-', ...sumsOf({ files, bytes, newestUs })];
}

function sumsOf({ files, bytes, newestUs }: Pick<Branch, 'files' | 'bytes' | 'newestUs'>): readonly string[] {
  return [countOf(files), formatBytes(bytes), secondsOf(newestUs)];
}

function fileLine({ path, size, mtimeUs }: FileEntry): readonly string[] {
  return [formatBytes(size), secondsOf(mtimeUs), printable(path)];
}

function tellSum(output: Output, { files, bytes, left }: Survey): void {
  output.text(`${formatCount(files, 'file')}, ${formatBytes(bytes)}`);
  if (left > 0)
    output.text(
      `${formatCount(left, 'file')} of them not shown: there are too many names; name a place further down`,
    );
}

function deviceObject({ newestUs, ...device }: Branch, time: string): object {
  return { ...device, [time]: isoOf(newestUs) };
}

function directoryObject({ name, sealed, files, bytes, newestUs }: Branch, time: string): object {
  return { name, sealed: sealed > 0, files, bytes, [time]: isoOf(newestUs) };
}

function countOf(count: number): string {
  return count.toLocaleString('en-US');
}

function secondsOf(us: number): string {
  return isoOf(us)?.replace(/\.\d+Z$/, 'Z') ?? '?';
}

/** Undefined for a time that no Date can be. */
function isoOf(us: number): string | undefined {
  const time = new Date(us / 1000);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}
