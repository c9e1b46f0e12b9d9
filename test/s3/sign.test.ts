import { S3Client } from '@aws-sdk/client-s3';
import { SignatureV4 } from '@smithy/signature-v4';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { QuickSigner } from '../../src/s3/quick/sign.ts';

const ENDPOINT = new URL('http://s3.example:8080');
const HEADERS = [
  'range',
  'if-match',
  'if-none-match',
  'content-md5',
  'content-type',
  'cache-control',
  'x-amz-meta-a',
];

const text = fc.string({ unit: 'grapheme-ascii', maxLength: 20 });
const credentials = fc.record(
  { accessKeyId: text, secretAccessKey: text, sessionToken: text },
  { requiredKeys: ['accessKeyId', 'secretAccessKey'] },
);

it('signs as the signer of the SDK does', async () => {
  await fc.assert(
    fc.asyncProperty(
      credentials,
      fc.constantFrom('us-east-1', 'sa'),
      fc.constantFrom('GET' as const, 'HEAD' as const, 'PUT' as const),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
      fc.dictionary(fc.constantFrom(...HEADERS), text),
      fc.dictionary(fc.constantFrom('prefix', 'start-after', 'max-keys'), fc.string({ unit: 'grapheme' })),
      fc.uint8Array(),
      async (keys, region, method, key, headers, query, bytes) => {
        const client = new S3Client({ credentials: keys, region });
        const signer = new QuickSigner(client, ENDPOINT);
        const body = method === 'PUT' ? bytes : undefined;
        const ours = await signer.sign({ method, bucket: 'b', key, query, headers, body });
        const { authorization, ...unsigned } = ours.headers;
        const sdks = await signed(client, { ...ours, headers: unsigned }, query);
        expect({ ...unsigned, authorization }).toEqual(sdks);
      },
    ),
  );
});

/** By the SDK, at the same time. */
async function signed(
  { config: { credentials: provider, region, sha256 } }: S3Client,
  { method, path: asked, headers }: Awaited<ReturnType<QuickSigner['sign']>>,
  query: Record<string, string>,
): Promise<Record<string, string>> {
  const sdks = new SignatureV4({
    credentials: provider,
    region,
    sha256,
    service: 's3',
    uriEscapePath: false,
    applyChecksum: false,
  });
  const { 'x-amz-date': time = '', 'x-amz-security-token': _, ...given } = headers;
  const signingDate = new Date(time.replace(/^(....)(..)(..T..)(..)/, '$1-$2-$3:$4:'));
  const { protocol, hostname } = ENDPOINT;
  const [path = ''] = asked.split('?');
  const request = { method, protocol, hostname, path, query, headers: given };
  return (await sdks.sign(request, { signingDate })).headers;
}
