import { readFileSync } from 'node:fs';
import { PACKAGE_FOLDER } from './package-folder.ts';

/** Returns the version in package.json. */
export function readVersion(): string {
  const text = readFileSync(new URL('package.json', PACKAGE_FOLDER), 'utf8');
  const fields: unknown = JSON.parse(text);
  const found =
    typeof fields === 'object' && fields !== null && 'version' in fields ? fields.version : undefined;
  return typeof found === 'string' ? found : 'unknown';
}

/** Returns the name that this side gives the other for its software. */
export function softwareName(): string {
  return `isync ${readVersion()}`;
}
