/** Lines of one kind that are told; a round that breaks every file shall not fill the screen. */
const MAX_LINES = 20;

/** Tells each line once, and not more than a screenful. */
export function toldOnce(tell: (line: string) => void): (line: string) => void {
  const told = new Set<string>();
  return (line) => {
    if (told.has(line) || told.size >= MAX_LINES) return;
    told.add(line);
    tell(line);
  };
}

/** Beginning of the line about a file whose version at the target the parser never meant to make. */
export function halfAtTarget(path: string): string {
  return `half at the target: ${JSON.stringify(path)}`;
}

/**
 * Whether a line is about a version of `path` that lay half written at its source. That may have been sent, and a marker
 * of the parser's counts as soon as it is there: nobody looks at it again.
 */
export function isOfHalf(path: string, line: string): boolean {
  if (line.startsWith(`${halfAtTarget(path)} `)) return true;
  const name = JSON.stringify(path);
  return (
    path.endsWith('/finished.parse') &&
    (line.startsWith(`sealed with ${name} as "" + none`) || line.startsWith(`${name} is "" + none`))
  );
}
