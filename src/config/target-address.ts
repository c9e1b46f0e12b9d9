import { resolve } from 'node:path';
import { badValue } from './values.ts';

/** Where `--to` points. */
export type TargetAddress =
  /** A receiver. Without credentials, query and fragment; the path is "/" where none was given. */
  | { readonly kind: 'receiver'; readonly url: URL }
  /** A folder of this machine, absolute. */
  | { readonly kind: 'folder'; readonly path: string };

/** @throws IsyncError CONFIG_INVALID whose message completes a sentence that begins with the value */
export function parseTargetAddress(text: string): TargetAddress {
  if (text === '') throw badValue('is empty');
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return { kind: 'folder', path: resolve(text) };
  if (scheme === 's3') throw badValue('is an S3 target, which is not in this version');
  if (scheme !== 'ws' && scheme !== 'wss')
    throw badValue(`has the scheme "${scheme}"; a target is ws://HOST:PORT, wss://HOST:PORT or a folder`);
  if (!URL.canParse(text)) throw badValue('is no URL like ws://HOST:PORT');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '')
    throw badValue('holds a user name or password; give a token with --token-file or ISYNC_TOKEN instead');
  if (url.search !== '' || url.hash !== '') throw badValue('has a "?" or "#" part, which a target has not');
  return { kind: 'receiver', url };
}
