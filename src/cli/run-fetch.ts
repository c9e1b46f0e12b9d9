import { fetchSchema } from '../config/schemas/fetch.ts';
import { openDestination } from '../fetch/destination.ts';
import { fetchFiles } from '../fetch/fetch.ts';
import { FetchTally } from '../fetch/fetch-tally.ts';
import { createSelection } from '../fetch/selection.ts';
import { IsyncError } from '../model/isync-error.ts';
import { printable } from '../observe/printable.ts';
import { formatBytes, formatCount } from '../observe/units.ts';
import { EXIT } from './exit-codes.ts';
import { openPlace } from './fetch/open-place.ts';
import { lastingCommand } from './lasting-command.ts';

export const runFetch = lastingCommand(
  fetchSchema,
  'stopping; what has come is kept for another run',
  async (given) => {
    const { config, list: globs, output, screen, signal, cut, log } = given;
    const isWanted = createSelection(globs);
    const tally = new FetchTally();
    screen.showProgress(() => ({ files: tally.files, bytes: tally.moved }));
    await using place = await openPlace(config, { signal, cut, log });
    const { into, overwrite } = config;
    let failure: IsyncError | undefined;
    {
      await using destination = await openDestination(into, { overwrite, source: place.folder });
      failure = await fetchFiles({
        reader: place.reader,
        into: destination.store,
        isWanted,
        overwrite,
        retry: place.retry,
        signal,
        tally,
        onProblem: (path, { code, message }) =>
          output.text(`problem ${printable(path)}: ${printable(message)} [${code}]`),
      });
    }
    const { files, bytes, there, problemCount, problems } = tally;
    const parts = [
      `${formatCount(files, 'file')}, ${formatBytes(bytes)} fetched into ${printable(into)}`,
      ...(there > 0 ? [`${there.toLocaleString('en-US')} here already`] : []),
      ...(problemCount > 0 ? [formatCount(problemCount, 'problem')] : []),
    ];
    output.text(parts.join('; '));
    const summary = { from: place.name, into, files, bytes, there, problemCount, problems };
    if (failure !== undefined) return output.failed(failure, summary);
    if (signal.aborted) return output.done(summary, EXIT.INTERRUPTED);
    if (tally.wanted === 0 && problemCount === 0)
      return output.failed(nothingNamed(place.name, globs), summary);
    return output.done(summary, problemCount > 0 ? EXIT.PROBLEMS : EXIT.DONE);
  },
);

function nothingNamed(name: string, globs: readonly string[]): IsyncError {
  const what =
    globs.length === 0 ? 'nothing is kept here' : `nothing that ${globs.join(' ')} names is kept here`;
  return new IsyncError('NOT_FOUND', what, { path: name });
}
