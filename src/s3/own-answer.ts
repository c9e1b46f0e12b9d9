/** Headers of the answers of AWS and most servers like it, of Google, and of Cloudflare. */
const IDS = ['x-amz-request-id', 'x-amz-id-2', 'x-guploader-uploadid', 'cf-ray'] as const;
/** What the body of an error has beside code and message. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const ELEMENTS = ['RequestId', 'HostId', 'Resource', 'Key'] as const;
const XML = /^\s*(?:application|text)\/xml\b/i;

/**
 * Whether an answer with an error looks like one of an object store: XML by its type, and with what tells one request or object
 * from another. What stands between us and the store, as the page of a network that wants a login, may hold anything else.
 * @param answer the error of the SDK
 */
export function isStoresOwn(answer: unknown): boolean {
  if (!XML.test(headerOf(answer, 'content-type') ?? '')) return false;
  return (
    IDS.some((name) => headerOf(answer, name) !== undefined) || ELEMENTS.some((name) => has(answer, name))
  );
}

/**
 * A header of an answer with an error.
 * @param name in lower case
 */
export function headerOf(answer: unknown, name: string): string | undefined {
  const headers = has(answer, '$response') ? headersIn(answer.$response) : {};
  const value: unknown = Object.entries(headers).find(([each]) => each.toLowerCase() === name)?.[1];
  return typeof value === 'string' ? value : undefined;
}

function headersIn(response: unknown): object {
  return has(response, 'headers') && typeof response.headers === 'object' ? (response.headers ?? {}) : {};
}

function has<Name extends string>(value: unknown, name: Name): value is Record<Name, unknown> {
  return typeof value === 'object' && value !== null && name in value;
}
