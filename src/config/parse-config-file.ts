import {
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Document,
  type YAMLParseError,
} from 'yaml';
import { IsyncError } from '../model/isync-error.ts';
import { isRecord, type ConfigFile, type ValuePath } from './config-file.ts';
import { readText } from './read-text.ts';
import { firstRefusal } from './refused-yaml.ts';
import { refuseUnquoted } from './unquoted-pattern.ts';

/** A {@link ReadConfigFile}. Loaded only where there is a file: the parser of YAML takes a tenth of the time of a start. */
export function readConfigFile(path: string, shape?: string): ConfigFile {
  return parseConfigFile(readText(path, 'the config file'), path, shape);
}

/** @throws IsyncError CONFIG_INVALID when `text` is not YAML, or has of YAML what a config file may not have */
export function parseConfigFile(text: string, path: string, shape?: string): ConfigFile {
  try {
    return parsed(text, path, shape);
  } catch (error) {
    // The parser throws the former where it goes too deep, and the latter where aliases of aliases multiply.
    if (!(error instanceof RangeError || error instanceof ReferenceError)) throw error;
    const reason = error instanceof RangeError ? 'is nested too deeply' : 'has too many aliases in aliases';
    throw new IsyncError('CONFIG_INVALID', `the config file ${reason}`, {
      path,
      cause: error,
      hint: 'Write the values out.',
    });
  }
}

function parsed(text: string, path: string, shape: string | undefined): ConfigFile {
  const lines = new LineCounter();
  // failsafe: every scalar stays the text that it is, and one set of parsers serves flags, environment and file.
  const document = parseDocument(text, { schema: 'failsafe', lineCounter: lines, prettyErrors: false });
  refuseUnquoted(document, text, path, lines);
  const fault = document.errors[0];
  if (fault !== undefined) {
    const { line, col } = lines.linePos(fault.pos[0]);
    throw new IsyncError(
      'CONFIG_INVALID',
      `the config file is not YAML: ${reasonOf(fault)} (${line}:${col})`,
      {
        path,
        hint:
          fault.code === 'DUPLICATE_KEY'
            ? 'A key may stand once in its map: leave one of them out, or rename it.'
            : 'A value that begins with one of * ! & [ { % @ ` needs quotes around it.',
      },
    );
  }
  const refused = firstRefusal(document);
  if (refused !== undefined) {
    const { line } = lines.linePos(refused.start);
    throw new IsyncError('CONFIG_INVALID', `${refused.reason} (${path}, line ${line})`, { path });
  }
  const content: unknown = document.toJS({ reviver: (_, value: unknown) => value ?? '' });
  if (content !== '' && content !== null && !isRecord(content))
    throw new IsyncError('CONFIG_INVALID', 'the config file is no map of commands or settings', {
      path,
      hint: shape,
    });
  return {
    path,
    content: new Map(isRecord(content) ? Object.entries(content) : []),
    lineOf: (place) => lines.linePos(startOf(document, place)).line,
  };
}

/** Returns what is wrong without the text that some faults of the parser repeat: it may be a secret. */
function reasonOf({ code, message }: YAMLParseError): string {
  if (code === 'TAG_RESOLVE_FAILED') return 'A tag has no meaning';
  return message.replace(/: ["|>].*$/s, '').replace(/(escape sequence) .*$/s, '$1');
}

/** The offset in the text at which the key or item at `path` begins, or as much of `path` as is there. */
function startOf(document: Document.Parsed, path: ValuePath): number {
  let node: unknown = document.contents;
  let found: unknown = node;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === step);
      if (pair === undefined) break;
      [found, node] = [pair.key, pair.value];
    } else if (isSeq(node) && node.items[Number(step)] !== undefined) found = node = node.items[Number(step)];
    else break;
  }
  return isNode(found) ? (found.range?.[0] ?? 0) : 0;
}
