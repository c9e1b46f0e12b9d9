import { HttpError } from '../../http/handler.ts';
import { MAX_BODY_BRACKETS, MAX_BODY_COMMAS } from './webhook-limits.ts';

const [COMMA, BRACKET, BRACE] = [',', '[', '{'].map((text) => text.charCodeAt(0));

/** Counts what takes memory when JSON is parsed, in its bytes, those in texts too: in UTF-8 no other character has them. */
export class BodyShape {
  #commas = MAX_BODY_COMMAS;
  #brackets = MAX_BODY_BRACKETS;

  /** @throws HttpError 413 */
  add(bytes: Uint8Array): void {
    let [commas, brackets] = [0, 0];
    // An iterator would make an object for each byte.
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte === COMMA) commas++;
      else if (byte === BRACKET || byte === BRACE) brackets++;
    }
    this.#commas -= commas;
    this.#brackets -= brackets;
    if (this.#brackets < 0)
      throw new HttpError(413, `the body has more than ${MAX_BODY_BRACKETS} objects and lists`);
    if (this.#commas < 0) throw new HttpError(413, `the body has more than ${MAX_BODY_COMMAS} commas`);
  }
}
