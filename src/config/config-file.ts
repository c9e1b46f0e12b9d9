import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Node, type Pair } from 'yaml';
import { IsyncError } from '../model/isync-error.ts';
import { readText } from './read-text.ts';
import { refuseUnquoted } from './unquoted-pattern.ts';

/** One `key: value` of the file. */
interface FileSetting {
  readonly key: string;
  /** Scalars as they were written, so that the device `007` stays that; undefined for what is neither text nor list. */
  readonly value: string | readonly string[] | undefined;
  /** From 1. */
  readonly line: number;
}

/** One top-level key with its settings. */
export interface FileSection {
  readonly name: string;
  readonly line: number;
  /** Undefined where the section is no map. */
  readonly settings: readonly FileSetting[] | undefined;
}

/** @throws IsyncError CONFIG_INVALID when the file can't be read or is not YAML */
export function readConfigFile(path: string): FileSection[] {
  return parseConfigFile(readText(path, 'the config file'), path);
}

/** The text of a config file: a map from a command to a map of its options, each under the option's own name. */
export function parseConfigFile(text: string, path: string): FileSection[] {
  const lines = new LineCounter();
  // failsafe: every scalar stays the text that it is, and one set of parsers serves flags, environment and file.
  const document = parseDocument(text, { schema: 'failsafe', lineCounter: lines, prettyErrors: false });
  refuseUnquoted(document, text, path, lines);
  const fault = document.errors[0];
  if (fault !== undefined) {
    const { line, col } = lines.linePos(fault.pos[0]);
    throw new IsyncError('CONFIG_INVALID', `the config file is not YAML: ${fault.message} (${line}:${col})`, {
      path,
      cause: fault,
      hint: 'A value that begins with one of * ! & [ { % @ ` needs quotes around it.',
    });
  }
  const top: Node | null = document.contents;
  if (top === null || (isScalar(top) && top.value === '')) return [];
  if (!isMap(top))
    throw new IsyncError('CONFIG_INVALID', 'the config file is no map of commands', {
      path,
      hint: 'It looks like "scan:" on one line and "  to: ws://HOST:7400" on the next.',
    });
  const lineOf = (node: unknown): number => lines.linePos(startOf(node)).line;
  return top.items.map((pair) => readSection(pair, lineOf));
}

function readSection({ key, value }: Pair, lineOf: (node: unknown) => number): FileSection {
  const section = { name: textOf(key) ?? '', line: lineOf(key) };
  if (value === null || (isScalar(value) && value.value === '')) return { ...section, settings: [] };
  if (!isMap(value)) return { ...section, settings: undefined };
  const settings = value.items.map((item) => ({
    key: textOf(item.key) ?? '',
    value: valueOf(item.value),
    line: lineOf(item.key),
  }));
  return { ...section, settings };
}

function valueOf(node: unknown): string | string[] | undefined {
  if (!isSeq(node)) return textOf(node);
  const items: string[] = [];
  for (const item of node.items) {
    const text = textOf(item);
    if (text === undefined) return undefined;
    items.push(text);
  }
  return items;
}

function textOf(node: unknown): string | undefined {
  if (node === null) return '';
  return isScalar(node) && typeof node.value === 'string' ? node.value : undefined;
}

function startOf(node: unknown): number {
  return isScalar(node) || isMap(node) || isSeq(node) ? (node.range?.[0] ?? 0) : 0;
}
