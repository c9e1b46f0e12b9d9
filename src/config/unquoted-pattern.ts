import { isSeq, visit, type Document, type LineCounter } from 'yaml';
import { IsyncError } from '../model/isync-error.ts';

/**
 * Refuses an alias or tag of YAML that people mean as a glob pattern: `ignore: *.log`, `- !(a).raw`. The fault that YAML
 * itself may find there names neither the pattern nor the cure.
 * @throws IsyncError CONFIG_INVALID
 */
export function refuseUnquoted(
  document: Document.Parsed,
  text: string,
  path: string,
  lines: LineCounter,
): void {
  const found = firstOf(document);
  const start = found?.start ?? Infinity;
  // A fault before it may be its cause.
  if (found === undefined || document.errors.some(({ pos }) => pos[0] < start)) return;
  const pattern = patternAt(text, start, found.inFlow);
  throw new IsyncError(
    'CONFIG_INVALID',
    `"${text.charAt(start)}" has a meaning of its own in YAML: ` +
      `write "${pattern}" with the quotes (${path}, line ${lines.linePos(start).line})`,
    { path },
  );
}

interface Place {
  /** Offset in the text. */
  readonly start: number;
  /** Between the brackets of a list in one line. */
  readonly inFlow: boolean;
}

function firstOf(document: Document.Parsed): Place | undefined {
  const places: Place[] = document.warnings
    .filter(({ code }) => code === 'TAG_RESOLVE_FAILED')
    .map(({ pos }) => ({ start: pos[0], inFlow: false }));
  visit(document, {
    Alias(_, alias, parents) {
      // An alias that resolves is a real one.
      const start = alias.range?.[0];
      if (start !== undefined && alias.resolve(document) === undefined)
        places.push({
          start,
          inFlow: parents.some((node) => isSeq(node) && node.flow === true),
        });
    },
  });
  return places.toSorted((a, b) => a.start - b.start)[0];
}

/** Returns the text from `start` to the end of the line, or of the item in a list of one line. */
function patternAt(text: string, start: number, inFlow: boolean): string {
  const rest = /[^\n\r]*/.exec(text.slice(start))?.[0] ?? '';
  const value = rest.replace(/\s+#.*$/, '').trimEnd();
  if (!inFlow) return value;
  return /^(?:\{[^}]*\}|[^,\]])*/.exec(value)?.[0].trimEnd() ?? value;
}
