/** One system call of a log of `strace -f -yy -xx`. Calls of different threads overlap: order goes by `begin` and `end`. */
export interface Call {
  readonly name: string;
  readonly args: string;
  /** What it returned; NaN where that is no number. */
  readonly result: number;
  /** Line on which it began. */
  readonly begin: number;
  /** Line on which it had ended. */
  readonly end: number;
}

const WHOLE = /^(\d+) +(\w+)\((.*)\) += +(-?\w+)/s;
const UNFINISHED = /^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$/s;
const RESUMED = /^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += +(-?\w+)/s;

export function parseStrace(log: string): Call[] {
  const calls: Call[] = [];
  const open = new Map<string, { name: string; args: string; begin: number }>();
  for (const [line, text] of log.split('\n').entries()) {
    const unfinished = UNFINISHED.exec(text);
    if (unfinished !== null) {
      const [, thread = '', name = '', args = ''] = unfinished;
      open.set(thread, { name, args, begin: line });
      continue;
    }
    const resumed = RESUMED.exec(text);
    if (resumed !== null) {
      const [, thread = '', name = '', rest = '', result] = resumed;
      const begun = open.get(thread);
      if (begun?.name !== name) continue;
      open.delete(thread);
      calls.push({ ...begun, args: begun.args + rest, result: Number(result), end: line });
      continue;
    }
    const whole = WHOLE.exec(text);
    if (whole === null) continue;
    const [, , name = '', args = '', result] = whole;
    calls.push({ name, args, result: Number(result), begin: line, end: line });
  }
  return calls.sort((a, b) => a.begin - b.begin);
}

/** Path (or `TCP:[…]`) of the descriptor that a call was made on. */
export function descriptorOf({ args }: Call): { fd: number; path: string } {
  const match = /^(-?\d+)(?:<(.*?)>)?(?:,|$)/s.exec(args);
  return { fd: Number(match?.[1]), path: unescape(match?.[2] ?? '').toString() };
}

/** The strings among the arguments, in order. */
export function stringsOf({ args }: Call): Buffer[] {
  return [...args.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) => unescape(text));
}

function unescape(text: string): Buffer {
  const bytes: number[] = [];
  for (const [, hex, other] of text.matchAll(/\\x([0-9a-f]{2})|([^\\])/g))
    bytes.push(hex === undefined ? (other ?? '').charCodeAt(0) : Number.parseInt(hex, 16));
  return Buffer.from(bytes);
}
