/** What a terminal shows two columns wide: https://www.unicode.org/reports/tr11/ in the ranges that names are made of. */
const WIDE =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60\uffe0-\uffe6]/u;
const ASCII = /^[\u0020-\u007e]*$/;
const CUT = '…';
/** Made for the first text that needs it, which takes 5 ms. */
let segmenter: Intl.Segmenter | undefined;

/** Columns that a terminal needs for a text of one line without control characters. */
export function columnsOf(text: string): number {
  if (ASCII.test(text)) return text.length;
  let columns = 0;
  for (const { segment } of graphemesOf(text)) columns += widthOf(segment);
  return columns;
}

/** The longest beginning that needs at most `columns`, with "…" where something is left out. */
export function cutToColumns(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  let cut = '';
  let left = columns - CUT.length;
  for (const { segment } of graphemesOf(text)) {
    left -= widthOf(segment);
    if (left < 0) break;
    cut += segment;
  }
  return columns < CUT.length ? '' : `${cut}${CUT}`;
}

/** With blanks behind, so that it fills `columns`; cut where it needs more. */
export function filledTo(text: string, columns: number): string {
  const cut = cutToColumns(text, columns);
  return `${cut}${' '.repeat(Math.max(0, columns - columnsOf(cut)))}`;
}

function graphemesOf(text: string): Intl.Segments {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' });
  return segmenter.segment(text);
}

function widthOf(grapheme: string): number {
  return WIDE.test(grapheme) ? 2 : 1;
}
