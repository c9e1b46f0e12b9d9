/** What means something to troff, or is shown as something else by it, and what stands for it: groff_char(7). */
const SPECIAL: Readonly<Record<string, string>> = {
  '\\': '\\(rs',
  '-': '\\-',
  "'": '\\(aq',
  '"': '\\(dq',
  '^': '\\(ha',
  '~': '\\(ti',
  '`': '\\(ga',
};

/** Returns `text` as troff shows it, in one line of ASCII. */
export function plain(text: string): string {
  const line = text.replaceAll(/\s*\n\s*/g, ' ').replaceAll(/[\\\-'"^~`]/g, (char) => SPECIAL[char] ?? char);
  const ascii = line.replaceAll(/[^\x20-\x7e]/gu, (char) => `\\[u${codeOf(char)}]`);
  // A control character at the beginning would make it a request.
  return ascii.startsWith('.') ? `\\&${ascii}` : ascii;
}

/** Hexadecimal, of four digits at least. */
function codeOf(char: string): string {
  return (char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
}

export function bold(text: string): string {
  return `\\fB${plain(text)}\\fR`;
}

export function italic(text: string): string {
  return `\\fI${plain(text)}\\fR`;
}

export function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`.SH ${quoted(title.toUpperCase())}`, ...lines];
}

export function subsection(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`.SS ${quoted(title)}`, ...lines];
}

/** A term that is written already, and what is said of it. */
export function item(term: string, text: string): string[] {
  return ['.TP', term, plain(text)];
}

/** Lines that stay as they are. */
export function literal(lines: readonly string[]): string[] {
  return ['.PP', '.nf', '.RS 4', ...lines.map(plain), '.RE', '.fi'];
}

/** One argument of a macro. */
export function quoted(text: string): string {
  return `"${plain(text)}"`;
}
