import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { expect, it } from 'vitest';
import { runCli } from '../../harness/cli.ts';

/** Fails every request: a bucket that refuses its keys, and a place for notices that takes none. */
const REFUSED = '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>no</Message></Error>';

it('a secret comes from a file, the environment or a credential, and stands in no log, no list of processes and no store', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'isync-secrets-'));
  const at = (...names: readonly string[]): string => join(folder, ...names);
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    request.resume();
    response.writeHead(request.url?.startsWith('/hook') === true ? 500 : 403).end(REFUSED);
  });
  try {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    for (const name of ['source', 'store', 'credentials']) mkdirSync(at(name));
    writeFileSync(at('source', 'file'), 'content');
    const identity = await generateX25519Identity();
    const secrets = {
      identity,
      accessKey: 'SECRET-of-the-bucket',
      session: 'SESSION-of-the-bucket',
      hook: 'TOKEN-of-the-hook',
      signature: 'SEC-of-dingtalk',
      password: 'PASSWORD-of-mail',
    };
    const kept = (name: string, content: string): string => {
      writeFileSync(at(name), `${content}\n`, { mode: 0o600 });
      return at(name);
    };
    kept('credentials/mail', secrets.password);
    const hook = { file: kept('hook.url', `http://127.0.0.1:${port}/hook/${secrets.hook}`) };
    const on = ['start', 'failure', 'success', 'problems'];
    const job = {
      name: 'app',
      sources: [at('source')],
      to: [
        at('store'),
        {
          url: 's3://bucket/kept',
          endpoints: [`http://127.0.0.1:${port}`],
          region: 'eu-central-1',
          credentials: {
            accessKeyId: { env: 'OUR_KEY' },
            secretAccessKey: { env: 'OUR_SECRET' },
            sessionToken: { env: 'OUR_SESSION' },
          },
        },
      ],
      encrypt: { recipients: [await identityToRecipient(identity)], identityFile: kept('key', identity) },
      before: [
        'sh',
        '-c',
        `for each in /proc/[0-9]*; do cat "$each/cmdline"; done > ${at('processes')} 2> ${at('gone')}; :`,
      ],
      notify: [
        { type: 'webhook', url: hook, on },
        { type: 'wecom', url: hook, on },
        { type: 'dingtalk', url: hook, secret: { file: kept('dingtalk', secrets.signature) }, on },
        {
          type: 'email',
          host: '127.0.0.1',
          // Nobody serves mail there.
          port: 1,
          user: 'isync',
          password: { credential: 'mail' },
          from: 'isync@example.org',
          to: ['ops@example.org'],
          on,
        },
      ],
    };
    writeFileSync(at('backup.yaml'), JSON.stringify({ jobs: [job] }));
    const env = {
      OUR_KEY: 'AKIDOFTHEBUCKET',
      OUR_SECRET: secrets.accessKey,
      OUR_SESSION: secrets.session,
      CREDENTIALS_DIRECTORY: at('credentials'),
    };
    const told: Record<string, string> = {};
    for (const words of [['run'], ['list'], ['status'], ['verify', '--deep'], ['check']]) {
      const args = ['backup', ...words, '--config', at('backup.yaml'), '--json', '--log-level', 'debug'];
      const { stdout, stderr } = await runCli(args, { env });
      told[words[0]!] = stdout + stderr;
    }
    // The bucket has refused the keys, and each place of notices what it was told: there was something to tell.
    expect(told['run']).toContain('STORE_REFUSED');
    expect(asked.some((url) => url.includes(secrets.hook))).toBe(true);
    expect(asked.some((url) => url.includes('/bucket'))).toBe(true);
    told['processes'] = readFileSync(at('processes'), 'latin1');
    expect(told['processes']).toContain(at('backup.yaml'));
    const stored = readdirSync(at('store', 'app'));
    expect(stored.filter((name) => name.includes('.tar.zst.age'))).toHaveLength(3);
    for (const name of stored) told[name] = readFileSync(at('store', 'app', name), 'latin1');
    for (const [place, text] of Object.entries(told))
      for (const [name, secret] of Object.entries(secrets))
        expect({ place, name, isThere: text.includes(secret) }).toEqual({ place, name, isThere: false });
    // Of a folder that somebody else has to read: an owner alone may.
    expect(execFileSync('find', [at('backup.yaml.state'), '-perm', '/077'], { encoding: 'utf8' })).toBe('');
  } finally {
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true });
  }
});
