import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { text as textOf } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { cephRecord } from '../../harness/ceph-record.ts';
import { startNginx } from '../../harness/nginx.ts';
import { lacks } from '../../harness/tools.ts';
import { startWebhookStage } from '../../harness/webhook-stage.ts';

const SECRET = 'a-secret-of-the-path-24';
const TOPIC = 'mcs1234567890|photos|s3:ObjectCreated:*,s3:ObjectRemoved:*';
const QUESTION = {
  Timestamp: '2020-06-15T15:01:13+03:00',
  Type: 'SubscriptionConfirmation',
  Message: `You have chosen to subscribe to the topic ${TOPIC}. To confirm …`,
  TopicArn: TOPIC,
  SignatureVersion: 1,
  Token: 'E2itMqAMUVVZc51pUhFWSp13DoxezvRxkUh5P7LEuk1dEe9y',
};
const put = cephRecord({ event: 'ObjectCreated:Put', bucket: 'photos', key: 'a' });

/** As VK Cloud signs the URL that it was given. */
function signatureOf(url: string): string {
  const hmac = (message: string, key: string | Buffer): Buffer =>
    createHmac('sha256', key).update(message).digest();
  return hmac(url, hmac(TOPIC, hmac(QUESTION.Timestamp, QUESTION.Token))).toString('hex');
}

/** The location of the guide's nginx. */
function locationOfGuide(): string {
  const guide = readFileSync(new URL('../../docs/webhook.md', import.meta.url), 'utf8');
  const [location] = /^  location \/webhook \{\n[\s\S]*?^  \}\n/m.exec(guide) ?? [''];
  expect(location).toContain('proxy_pass http://isync;');
  return location;
}

test.skipIf(lacks('nginx'))(
  'the nginx of the guide hands on events and the question of VK Cloud, and never logs the secret path',
  async () => {
    await using stage = await startWebhookStage();
    await writeFile(stage.at('secret'), SECRET, { mode: 0o600 });
    await stage.configure({
      role: 'receive',
      address: '127.0.0.1',
      secretPathFile: stage.at('secret'),
      trustedProxy: ['127.0.0.1'],
    });
    await using webhook = await stage.start();
    const log = stage.at('isync.log');
    await using nginx = await startNginx(
      locationOfGuide().replace('/var/log/nginx/isync.log', log),
      `upstream isync { server 127.0.0.1:${webhook.port}; keepalive 64; }`,
    );
    const url = `${nginx.url}/webhook/${SECRET}`;
    const post = async (body: string): Promise<{ readonly status: number; readonly text: string }> => {
      const answer = await fetch(url, { method: 'POST', body });
      return { status: answer.status, text: await answer.text() };
    };
    const answer = await post(JSON.stringify(QUESTION));
    expect(JSON.parse(answer.text)).toEqual({ signature: signatureOf(url) });
    expect(await post(put)).toMatchObject({ status: 200 });
    expect((await fetch(`${nginx.url}/webhook`, { method: 'POST', body: put })).status).toBe(401);
    expect((await webhook.process.stop('SIGTERM')).exitCode).toBe(0);
    // Stores try again what is answered so.
    expect((await post(put)).status).toBe(502);
    expect(await stage.counts()).toMatchObject({ waiting: 1 });
    for (const said of [readFileSync(log, 'utf8'), nginx.words, JSON.stringify(nginx.answered)])
      expect(said).not.toContain(SECRET);
  },
);

test.skipIf(lacks('openssl'))('events are taken over TLS by a certificate of its own', async () => {
  await using stage = await startWebhookStage();
  const [cert, key] = [stage.at('cert.pem'), stage.at('key.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert];
  execFileSync('openssl', [...made, ...subject], { stdio: 'ignore' });
  await stage.configure({ role: 'receive', tlsCert: cert, tlsKey: key });
  await using webhook = await stage.start();
  expect(webhook.url).toMatch(/^https:/);
  const answer = await new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
    const posted = request(
      `https://127.0.0.1:${webhook.port}/webhook`,
      { method: 'POST', ca: readFileSync(cert), agent: false },
      (response) => {
        textOf(response).then((text) => resolve({ status: response.statusCode, text }), reject);
      },
    );
    posted.on('error', reject);
    posted.end(put);
  });
  expect(answer).toEqual({ status: 200, text: expect.stringContaining('"accepted":1') });
  expect(await stage.counts()).toMatchObject({ waiting: 1 });
});
