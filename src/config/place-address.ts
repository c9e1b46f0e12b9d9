import { parseStoreAddress, type StoreAddress } from './target-address.ts';
import { badValue } from './values.ts';

/**
 * Parses a place that files are read from: a store, or a device, directory or file in it.
 * @throws IsyncError CONFIG_INVALID whose message completes a sentence that begins with the value
 */
export function parsePlace(text: string): StoreAddress {
  if (/^wss?:\/\//i.test(text))
    throw badValue(
      'is a receiver, which nothing can be fetched from yet; on the server, name its store: a folder or s3://BUCKET/PREFIX',
    );
  return parseStoreAddress(text);
}
