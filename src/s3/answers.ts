/** A key of a listing. We ask for keys encoded as in a query string, because XML can't hold every character. */
export function decodeKey(key: string | undefined, encoding: string | undefined): string {
  if (key === undefined || encoding !== 'url') return key ?? '';
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch (error) {
    // Not UTF-8, so it can't be decoded.
    if (error instanceof URIError) return key;
    throw error;
  }
}

/** An ETag without its quotes. */
export function bare(etag: string | undefined): string {
  return (etag ?? '').replaceAll('"', '');
}

/** An ETag as conditions name it. */
export function quoted(etag: string | undefined): string | undefined {
  return etag === undefined ? undefined : `"${etag}"`;
}
