import { malformed } from './bytes.ts';
import { isObject, optionalCount, parseObject, text as textOf, type Fields } from './json-fields.ts';
import { MAX_REPORT_BYTES, MAX_REPORT_PROBLEMS, MAX_REPORT_TEXT } from './limits.ts';

/** What a device tells of itself; PROTOCOL.md has the meaning of each field. Texts may hold any character. */
export interface DeviceReport {
  /** Files that wait to be sent, and their bytes, as far as the device knows. */
  readonly files: number;
  readonly bytes: number;
  /** For how long the oldest of them has waited, in seconds by the device's clock; undefined where none waits. */
  readonly oldestSeconds: number | undefined;
  /** The directory that its parser fills. */
  readonly directory: string | undefined;
  readonly sealed: number;
  readonly unsealed: number;
  /** The gravest first. */
  readonly problems: readonly ReportedProblem[];
  /** All of them, with those that `problems` leaves out. */
  readonly problemCount: number;
}

export interface ReportedProblem {
  /** Of an error or alarm, perhaps of a newer version. What to do about it the receiver knows by it, or not at all. */
  readonly code: string;
  /** The file or directory; '' for the whole device. */
  readonly subject: string;
  readonly text: string;
}

const CODE = /^[A-Z][A-Z0-9_]{0,39}$/;

/** The content of a REPORT: as many of the problems as fit, with texts cut to what a receiver takes. */
export function formatReport(report: DeviceReport): Buffer {
  const { oldestSeconds, directory, ...rest } = report;
  const all = report.problems.slice(0, MAX_REPORT_PROBLEMS).map(({ code, subject, text }) => ({
    code,
    subject: cut(subject),
    text: cut(text),
  }));
  for (let count = all.length; ; count--) {
    const json = Buffer.from(
      JSON.stringify({
        ...rest,
        ...(oldestSeconds !== undefined && { oldestSeconds }),
        ...(directory !== undefined && { directory: cut(directory) }),
        problems: all.slice(0, count),
      }),
    );
    if (json.length <= MAX_REPORT_BYTES || count === 0) return json;
  }
}

/** @throws IsyncError PROTOCOL unless every field is there and within its bounds; unknown ones are ignored */
export function parseReport(json: Buffer): DeviceReport {
  const fields = parseObject(json, MAX_REPORT_BYTES);
  return {
    files: count(fields, 'files'),
    bytes: count(fields, 'bytes'),
    oldestSeconds: optionalCount(fields, 'oldestSeconds'),
    directory: fields['directory'] === undefined ? undefined : text(fields, 'directory'),
    sealed: count(fields, 'sealed'),
    unsealed: count(fields, 'unsealed'),
    problems: parseProblems(fields['problems']),
    problemCount: count(fields, 'problemCount'),
  };
}

function parseProblems(value: unknown): ReportedProblem[] {
  if (!Array.isArray(value)) throw malformed('"problems" is no list');
  if (value.length > MAX_REPORT_PROBLEMS) throw malformed(`more than ${MAX_REPORT_PROBLEMS} problems`);
  return value.map((item: unknown) => {
    if (!isObject(item)) throw malformed('a problem is no object');
    const code = text(item, 'code');
    if (!CODE.test(code)) throw malformed('the code of a problem is none');
    return { code, subject: text(item, 'subject'), text: text(item, 'text') };
  });
}

function text(fields: Fields, name: string): string {
  const value = textOf(fields, name);
  if (value.length > MAX_REPORT_TEXT)
    throw malformed(`"${name}" is longer than ${MAX_REPORT_TEXT} characters`);
  return value.toWellFormed();
}

function count(fields: Fields, name: string): number {
  const value = optionalCount(fields, name);
  if (value === undefined) throw malformed(`"${name}" is missing`);
  return value;
}

function cut(value: string): string {
  return value.length <= MAX_REPORT_TEXT ? value : `${value.slice(0, MAX_REPORT_TEXT - 1)}…`;
}
