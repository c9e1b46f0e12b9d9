/**
 * Returns the text of each element of the array that is the member `name` of the JSON object `text`, as it stands there. `text`
 * must be JSON, and that member an array; where it is there twice the last one counts, as in JSON.parse.
 *
 * Writing a parsed record anew would be simpler, but JSON.stringify fails where it nests too deep, and changes large numbers.
 */
export function elementTexts(text: string, name: string): readonly string[] {
  let elements: string[] = [];
  let depth = 0;
  let lastText = '';
  let isInside = false;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') {
      const end = endOfText(text, at);
      if (depth === 1) lastText = text.slice(at, end);
      at = end - 1;
    } else if (character === '[' || character === '{') {
      depth++;
      if (depth === 2 && character === '[' && JSON.parse(lastText) === name) {
        isInside = true;
        elements = [];
        start = at + 1;
      }
    } else if (character === ']' || character === '}') {
      depth--;
      if (depth === 1 && isInside) {
        isInside = false;
        if (text.slice(start, at).trim() !== '') elements.push(text.slice(start, at));
      }
    } else if (character === ',' && depth === 2 && isInside) {
      elements.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return elements;
}

/** Behind the closing quote of the text that opens at `from`. */
function endOfText(json: string, from: number): number {
  let at = from + 1;
  while (json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at + 1;
}
