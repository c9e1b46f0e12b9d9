import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseS3Address, type S3Address } from './s3-address.ts';
import { shownText } from './shown.ts';
import type { StoreAccess } from './store-access.ts';
import { badValue } from './values.ts';

/** A folder of this machine, absolute. */
export interface FolderAddress {
  readonly kind: 'folder';
  readonly path: string;
}

/** A bucket, with what its entry in `stores:` says about reaching it and writing there. */
export interface S3StoreAddress extends S3Address {
  readonly kind: 's3';
  readonly access?: StoreAccess;
}

/** Where receivers listen unless told otherwise. */
export const RECEIVER_PORT = 7400;
/** URL drops a port that is its scheme's own, so the text tells whether one was given. */
const HAS_PORT = /^[^:]+:\/\/[^/?#]*:\d+(?:[/?#]|$)/;

/** A receiver. The URL has no credentials, query or fragment; its path is "/" where none was given. */
export interface ReceiverAddress {
  readonly kind: 'receiver';
  readonly url: URL;
}

/** A place where `isync receive` keeps files. */
export type StoreAddress = FolderAddress | S3StoreAddress;

/** A place that `--to` can name. */
export type TargetAddress = ReceiverAddress | StoreAddress;

/** Parses an address by its scheme; one without is a folder. src/cli/locations/table.ts opens each kind. */
const STORE_SCHEMES: Schemes<StoreAddress> = new Map([['s3', parseBucket]]);
const TARGET_SCHEMES: Schemes<TargetAddress> = new Map<string, (text: string) => TargetAddress>([
  ['ws', parseReceiver],
  ['wss', parseReceiver],
  ...STORE_SCHEMES,
]);

type Schemes<Address> = ReadonlyMap<string, (text: string) => Address>;

/** @throws IsyncError CONFIG_INVALID whose message completes a sentence that begins with the value */
export function parseTargetAddress(text: string): TargetAddress {
  const what = 'a target is ws://HOST:PORT, wss://HOST:PORT, s3://BUCKET/PREFIX or a folder';
  if (text !== '' && schemeOf(text) === undefined) refuseHost(text);
  return parseAddress(text, TARGET_SCHEMES, what);
}

/** @throws IsyncError CONFIG_INVALID whose message completes a sentence that begins with the value */
export function parseStoreAddress(text: string): StoreAddress {
  return parseAddress(text, STORE_SCHEMES, 'a store is a folder or s3://BUCKET/PREFIX');
}

function parseAddress<Address>(
  text: string,
  schemes: Schemes<Address>,
  what: string,
): Address | FolderAddress {
  if (text === '') throw badValue('is empty');
  const scheme = schemeOf(text);
  if (scheme === undefined) return { kind: 'folder', path: resolve(text) };
  const parse = schemes.get(scheme);
  if (parse === undefined) throw badValue(`has the scheme "${scheme}"; ${what}`);
  return parse(text);
}

function parseBucket(text: string): S3StoreAddress {
  return { kind: 's3', ...parseS3Address(text) };
}

function parseReceiver(text: string): ReceiverAddress {
  if (!URL.canParse(text)) throw badValue('is no URL like ws://HOST:PORT');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '')
    throw badValue('holds a user name or password; give a token with --token-file or ISYNC_TOKEN instead');
  if (url.search !== '' || url.hash !== '') throw badValue('has a "?" or "#" part, which a target has not');
  if (!HAS_PORT.test(text)) url.port = String(RECEIVER_PORT);
  return { kind: 'receiver', url };
}

/** Whether the text has the scheme of a receiver. */
export function isReceiver(text: string): boolean {
  return ['ws', 'wss'].includes(schemeOf(text) ?? '');
}

/** Returns the address as a user would give it. */
export function showAddress(address: TargetAddress): string {
  switch (address.kind) {
    case 'folder':
      return address.path;
    case 's3':
      return `s3://${address.bucket}${address.prefix === '' ? '' : `/${address.prefix}`}`;
    case 'receiver':
      return address.url.href;
  }
}

/** `host:7400`, `[::1]:7400`, `backup.example`: one segment that more likely names a machine than a new folder. */
const HOST_AND_PORT = /^((?:\[[\da-f:.]+\]|[a-z\d][a-z\d.-]*):\d{1,5})\/?$/i;
const HOST_WITH_DOT = /^([a-z\d][a-z\d-]*(?:\.[a-z\d-]+)+)\/?$/i;
/** A scheme whose slashes are missing. */
const SLASHES_LACK = /^(wss?|s3):\/?([^/\d].*)$/is;

/** Refuses a text that likely means a receiver or a bucket, unless a folder of this name is there. */
function refuseHost(text: string): void {
  if (existsSync(resolve(text))) return;
  const [, known, rest] = SLASHES_LACK.exec(text) ?? [];
  if (known !== undefined && rest !== undefined)
    throw badValue(`lacks the "//" after "${known}:"; did you mean ${shownText(`${known}://${rest}`)}?`);
  const dotted = HOST_WITH_DOT.exec(text)?.[1];
  const host =
    HOST_AND_PORT.exec(text)?.[1] ?? (dotted === undefined ? undefined : `${dotted}:${RECEIVER_PORT}`);
  if (host === undefined) return;
  throw badValue(`is no folder that is there; did you mean ws://${host} or wss://${host}?`);
}

function schemeOf(text: string): string | undefined {
  return /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
}
