import { isDeviceName } from '../model/device-name.ts';
import { firstSegment, isRelPath, type RelPath } from '../model/rel-path.ts';
import {
  isReceiver,
  parseStoreAddress,
  parseTargetAddress,
  type ReceiverAddress,
  type StoreAddress,
} from './target-address.ts';
import { badValue } from './values.ts';

/** A place of what a receiver keeps. */
export interface ReceiverPlace extends ReceiverAddress {
  /** The device, then directory and more; '' where none is named. */
  readonly place: RelPath | '';
}

export type PlaceAddress = StoreAddress | ReceiverPlace;

/**
 * Parses a place that files are read from: a store, or a device, directory or file in it. With a receiver, what comes after its host is
 * the place; where a proxy has put it below a path, "//" ends that path.
 * @throws IsyncError CONFIG_INVALID whose message completes a sentence that begins with the value
 */
export function parsePlace(text: string): PlaceAddress {
  if (!isReceiver(text)) return parseStoreAddress(text);
  const address = parseTargetAddress(text);
  if (address.kind !== 'receiver') return parseStoreAddress(text);
  const { pathname } = address.url;
  const [, base = '', rest = pathname] = /^(.*?)\/\/(.*)$/.exec(pathname) ?? [];
  const url = new URL(address.url);
  url.pathname = base;
  return { kind: 'receiver', url, place: placeOf(rest) };
}

/** Returns the place as a user would give it. */
export function showReceiverPlace({ url, place }: ReceiverPlace): string {
  const path = place.split('/').map(encodeURIComponent).join('/');
  return url.pathname === '/' ? `${url.origin}/${path}` : `${url.href}//${path}`;
}

function placeOf(pathname: string): RelPath | '' {
  const place = pathname
    .replaceAll(/^\/+|\/+$/g, '')
    .split('/')
    .map(decoded)
    .join('/');
  if (place === '') return '';
  if (!isRelPath(place)) throw badValue('has a path that no file can have');
  if (!isDeviceName(firstSegment(place)))
    throw badValue(
      'goes on with what is no name of a device; a receiver below a path is written ws://HOST/PATH//DEVICE',
    );
  return place;
}

function decoded(segment: string): string {
  let text: string;
  try {
    text = decodeURIComponent(segment);
  } catch {
    throw badValue('has a "%" that begins no %-escape; for the character itself write %25');
  }
  if (text.includes('/')) throw badValue('has a "/" within a name');
  return text;
}
