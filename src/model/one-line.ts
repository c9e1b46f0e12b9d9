/** Several lines as one, with a blank between them. Takes time in proportion to the text, which a server may have sent. */
export function oneLine(text: string): string {
  return text
    .split(/[\r\n]/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join(' ');
}
