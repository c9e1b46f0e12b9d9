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
