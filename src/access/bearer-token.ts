/** Returns the token of an `Authorization: Bearer TOKEN` header (RFC 6750); undefined where it has none. */
export function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer +([^ ]+) *$/i.exec(authorization ?? '')?.[1];
}
