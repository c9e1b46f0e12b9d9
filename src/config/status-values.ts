import { badValue } from './values.ts';

/** Where a status page is: `http://HOST:PORT` or `https://…`, with a path where a proxy puts it below one. */
export function parseStatusUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw badValue('is no http://HOST:PORT or https://HOST:PORT');
  if (url.username !== '' || url.password !== '')
    throw badValue('has a user or password in it; give a token with --token-file');
  if (url.search !== '' || url.hash !== '') throw badValue('has something behind its path');
  return url;
}
