import { isNode, isScalar, visit, type Document, type LineCounter } from 'yaml';
import { IsyncError } from '../model/isync-error.ts';

/** The setting whose values are glob patterns. What stands elsewhere is not shown: it may be a secret. */
const PATTERNS = 'ignore';
/** Keys above a pattern, and its own, at most: the section and the setting. */
const MAX_PATTERN_DEPTH = 2;

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
  const start = firstOf(document);
  // A fault before it may be its cause.
  if (start === undefined || document.errors.some(({ pos }) => pos[0] < start)) return;
  const { keys, inFlow } = placeOf(document, start);
  const isPattern = keys.at(-1) === PATTERNS && keys.length <= MAX_PATTERN_DEPTH;
  const cure = isPattern
    ? `write "${patternAt(text, start, inFlow)}" with the quotes`
    : 'put quotes around the value';
  throw new IsyncError(
    'CONFIG_INVALID',
    `"${text.charAt(start)}" has a meaning of its own in YAML: ` +
      `${cure} (${path}, line ${lines.linePos(start).line})`,
    { path },
  );
}

/** Returns the offset in the text of the first alias or tag that means nothing. */
function firstOf(document: Document.Parsed): number | undefined {
  const starts = document.warnings
    .filter(({ code }) => code === 'TAG_RESOLVE_FAILED')
    .map(({ pos }) => pos[0]);
  visit(document, {
    Alias(_, alias) {
      // An alias that resolves is a real one.
      const start = alias.range?.[0];
      if (start !== undefined && alias.resolve(document) === undefined) starts.push(start);
    },
  });
  return starts.toSorted((a, b) => a - b)[0];
}

interface Place {
  /** The keys of the maps around it, from the top level on. */
  readonly keys: readonly unknown[];
  /** Between the brackets of a list or map in one line. */
  readonly inFlow: boolean;
}

function placeOf(document: Document.Parsed, offset: number): Place {
  const keys: unknown[] = [];
  let inFlow = false;
  visit(document, {
    Pair(_, { key, value }) {
      if (isAround(offset, key, value) && !isAround(offset, key, key))
        keys.push(isScalar(key) ? key.value : undefined);
    },
    Collection(_, collection) {
      if (collection.flow === true && isAround(offset, collection, collection)) inFlow = true;
    },
  });
  return { keys, inFlow };
}

/** Whether `offset` lies between the start of `first` and the end of `last`. */
function isAround(offset: number, first: unknown, last: unknown): boolean {
  const start = isNode(first) ? first.range?.[0] : undefined;
  const end = isNode(last) ? last.range?.[2] : undefined;
  return start !== undefined && end !== undefined && start <= offset && offset <= end;
}

/** Returns the text from `start` to the end of the line, or of the item in a list or map of one line. */
function patternAt(text: string, start: number, inFlow: boolean): string {
  const rest = /[^\n\r]*/.exec(text.slice(start))?.[0] ?? '';
  const value = rest.replace(/\s+#.*$/, '').trimEnd();
  if (!inFlow) return value;
  return /^(?:\{[^}]*\}|[^,\]}])*/.exec(value)?.[0].trimEnd() ?? value;
}
