import { readFileSync } from 'node:fs';

/** Returns the version in package.json, which lies two folders above both src/cli and dist/cli. */
export function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const fields: unknown = JSON.parse(text);
  const found =
    typeof fields === 'object' && fields !== null && 'version' in fields ? fields.version : undefined;
  return typeof found === 'string' ? found : 'unknown';
}

/** Returns the name that this side gives the other for its software. */
export function softwareName(): string {
  return `isync ${readVersion()}`;
}
