import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { etagOf, keyAt, MODIFIED } from './many-keys.ts';

/**
 * A process that answers as a bucket with very many small objects would, for which a real server would take an hour: listings
 * in pages of 1,000, and GET. Given their number; prints its port.
 */

const PAGE = 1000;

const count = Number(process.argv[2]);
const server = createServer((request, response) => {
  const url = new URL(request.url ?? '', 'http://x');
  if (url.searchParams.has('list-type')) list(url, response);
  else get(decodeURIComponent(url.pathname).split('/').slice(2).join('/'), response);
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
process.on('SIGTERM', () => process.exit());

function list({ searchParams }: URL, response: ServerResponse): void {
  const from = Number(searchParams.get('continuation-token') ?? 0);
  const to = Math.min(count, from + PAGE);
  const objects: string[] = [];
  for (let index = from; index < to; index++) {
    const key = keyAt(index);
    objects.push(
      `<Contents><Key>${key}</Key><LastModified>${MODIFIED.toISOString()}</LastModified>` +
        `<ETag>&quot;${etagOf(key)}&quot;</ETag><Size>${key.length}</Size><StorageClass>STANDARD</StorageClass></Contents>`,
    );
  }
  const next = to < count ? `<NextContinuationToken>${to}</NextContinuationToken>` : '';
  response
    .writeHead(200, { 'content-type': 'application/xml' })
    .end(
      `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>b</Name><Prefix>a/</Prefix><KeyCount>${objects.length}</KeyCount>` +
        `<MaxKeys>${PAGE}</MaxKeys><IsTruncated>${to < count}</IsTruncated>${next}${objects.join('')}</ListBucketResult>`,
    );
}

/** Content is the key itself. */
function get(key: string, response: ServerResponse): void {
  response
    .writeHead(200, {
      'content-length': key.length,
      etag: `"${etagOf(key)}"`,
      'last-modified': MODIFIED.toUTCString(),
    })
    .end(key);
}
