/** Where an address begins, also one whose slashes are missing. */
const ADDRESS = String.raw`(?:\/\/|\b(?:wss?|s3|https?):\/*)`;
const CREDENTIALS = new RegExp(`(${ADDRESS}).*@`, 'is');
const QUERY_OR_FRAGMENT = new RegExp(`(${ADDRESS}[^?#]*)[?#].*`, 'is');

/**
 * Returns a text for a message. Credentials, query and fragment of an address are hidden: none may have them, and the
 * refusal must not print them.
 */
export function shownText(text: string): string {
  return text.replace(CREDENTIALS, '$1(hidden)@').replace(QUERY_OR_FRAGMENT, '$1?(hidden)');
}

/** Returns the name of a setting that there is not, for a message: a value that got into it ("token=…") is left out. */
export function shownName(name: string): string {
  return name.replace(/[^\w.-].*$/s, '…');
}
