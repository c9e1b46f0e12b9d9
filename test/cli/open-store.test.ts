import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { GetObjectTaggingCommand } from '@aws-sdk/client-s3';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { withS3Server } from '../../harness/s3-server.ts';
import { openStore } from '../../src/cli/locations/table.ts';
import { location } from '../../src/config/location.ts';
import { readConfigFile } from '../../src/config/parse-config-file.ts';
import { readConfig } from '../../src/config/read-config.ts';
import { parseStoreAddress, type StoreAddress } from '../../src/config/target-address.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { putStream } from '../../src/store/put-stream.ts';
import type { Store } from '../../src/store/store.ts';
import { RecordingLog } from '../recording-log.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** As a command would have it that knows of no sender and no receiver. */
const SCHEMA = z.strictObject({ to: location(parseStoreAddress) });
const COMMAND = { section: 'keep', sections: ['keep'], places: [], secrets: [], names: ['to'] };
const FILE = { path: parseRelPath('edge1/DC1/a'), size: 4, mtimeUs: 1_000_000 };

function use() {
  const { signal } = new AbortController();
  return { signal, cut: signal, log: new RecordingLog() };
}

/** What `to` means beside these stores of a config file. */
function addressOf(to: string, stores: object): StoreAddress {
  const config = join(temporaryFolder(), 'isync.json');
  writeFileSync(config, JSON.stringify({ stores }));
  const sources = { flags: { to, config }, environment: {}, readFile: readConfigFile };
  return readConfig(SCHEMA, COMMAND, sources).to;
}

async function put(store: Store, content = 'data'): Promise<void> {
  const file = { ...FILE, size: content.length };
  await putStream(store, file, Readable.from([Buffer.from(content)]), { algorithm: 'xxh64' });
}

async function keptIn(store: Store): Promise<string | undefined> {
  const found = await store.read(FILE.path);
  return found && (await text(found.bytes));
}

it('a store is opened from a folder, and from the name of one', async () => {
  const disk = temporaryFolder();
  await using store = await openStore(addressOf(disk, {}), {}, use());
  await put(store);
  await using named = await openStore(addressOf('store:disk', { disk: { url: disk } }), {}, use());
  expect(await keptIn(named)).toBe('data');
});

it('a store has the rules that it is opened with', async () => {
  const folder = { kind: 'folder', path: temporaryFolder() } as const;
  await using store = await openStore(folder, { maxFileSize: 5, immutable: true }, use());
  await put(store);
  await expect(put(store, 'other')).rejects.toMatchObject({ code: 'IMMUTABLE' });
  await expect(put(store, 'larger')).rejects.toMatchObject({ code: 'FILE_TOO_LARGE' });
});

it('a store that is only read makes nothing', async () => {
  const path = join(temporaryFolder(), 'kept');
  mkdirSync(path);
  await using store = await openStore({ kind: 'folder', path }, {}, { ...use(), readOnly: true });
  expect(await keptIn(store)).toBeUndefined();
  expect(await store.identity()).toMatchObject({ id: undefined });
});

await withS3Server((server) => {
  it('a bucket is opened from an address and options, and from a name that says what to write there', async () => {
    const bucket = await server.makeBucket();
    const { accessKeyId, secretAccessKey } = server.credentials;
    const secret = join(temporaryFolder(), 'secret');
    writeFileSync(secret, secretAccessKey);
    const main = {
      url: `s3://${bucket}/kept`,
      endpoint: server.endpoint,
      region: server.region,
      credentials: { accessKeyId, secretAccessKey: { file: secret } },
      tags: ['project=alpha'],
    };
    const tagsOf = async () => {
      const Key = `kept/${FILE.path}`;
      return (await server.client.send(new GetObjectTaggingCommand({ Bucket: bucket, Key }))).TagSet;
    };
    {
      await using store = await openStore(addressOf('store:main', { main }), {}, use());
      await put(store);
      expect(await keptIn(store)).toBe('data');
      expect(await tagsOf()).toEqual([{ Key: 'project', Value: 'alpha' }]);
    }
    Object.assign(process.env, server.env);
    const options = { s3Endpoint: new URL(server.endpoint), s3Region: server.region, s3Tag: { a: 'b' } };
    await using plain = await openStore(addressOf(`s3://${bucket}/kept`, {}), options, use());
    expect(await keptIn(plain)).toBe('data');
    await put(plain, 'more');
    expect(await tagsOf()).toEqual([{ Key: 'a', Value: 'b' }]);
  });
});
