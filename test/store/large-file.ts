import { digestOf } from '../../src/model/digest.ts';
import type { Store, Upload } from '../../src/store/store.ts';
import { fileAt } from '../suites/store/files.ts';
import type { StoreFolder } from './folder.ts';

export const CONTENT = Buffer.alloc(200_000, 'content');
export const LARGE = fileAt('dev/DC1/large', CONTENT.length);

export async function begin(store: Store, resume = true): Promise<Upload> {
  return store.begin(LARGE, { algorithm: 'xxh64', resume });
}

/** Uploads what is still missing of CONTENT. */
export async function finish(upload: Upload): Promise<void> {
  await upload.write(CONTENT.subarray(upload.offset));
  await upload.commit(digestOf('xxh64', CONTENT));
}

/** Leaves 1000 bytes of an upload behind and returns the path of the part. */
export async function leavePart(folder: StoreFolder, store: Store): Promise<string> {
  const upload = await begin(store);
  await upload.write(CONTENT.subarray(0, 1000));
  await upload.suspend();
  const [part] = await folder.staged();
  return part!;
}
