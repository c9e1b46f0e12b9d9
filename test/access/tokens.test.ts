import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openTokenFile } from '../../src/access/token-file.ts';
import { addToken, listTokens, revokeToken } from '../../src/access/tokens.ts';
import { temporaryFolder } from '../receiver/fixtures.ts';
import { RecordingLog } from '../recording-log.ts';

async function tokenPath(): Promise<string> {
  return `${await temporaryFolder()}/tokens.json`;
}

function opened(path: string) {
  const log = new RecordingLog();
  const tokens = openTokenFile(path, log);
  onTestFinished(() => tokens[Symbol.dispose]());
  return { tokens, log };
}

describe('a token', () => {
  it('is told once and kept as a hash only, in a file of its owner', async () => {
    const path = await tokenPath();
    const token = await addToken(path, 'edge1');
    expect(token).toMatch(/^isync_[A-Za-z0-9_-]{43}$/);
    expect(await readFile(path, 'utf8')).not.toContain(token.slice(6));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await listTokens(path)).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f]{12}$/),
        device: 'edge1',
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        created: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      },
    ]);
  });

  it('is one more for a device that has some', async () => {
    const path = await tokenPath();
    const [one, two, three] = [
      await addToken(path, 'edge1'),
      await addToken(path, 'edge1'),
      await addToken(path, 'edge2'),
    ];
    const { tokens } = opened(path);
    const ids = (await listTokens(path)).map(({ id }) => id);
    expect(tokens.authenticate(one)).toEqual({ device: 'edge1', id: ids[0], access: 'write' });
    expect(tokens.authenticate(two)).toEqual({ device: 'edge1', id: ids[1], access: 'write' });
    expect(tokens.authenticate(three)).toEqual({ device: 'edge2', id: ids[2], access: 'write' });
    expect(tokens.authenticate('')).toBeUndefined();
    expect(tokens.authenticate(`${one} `)).toBeUndefined();
  });

  it('may be for reading, which makes no writer of its device', async () => {
    const path = await tokenPath();
    const token = await addToken(path, 'edge1', 'read');
    const [entry] = await listTokens(path);
    expect(entry).toMatchObject({ device: 'edge1', access: 'read' });
    const { tokens } = opened(path);
    expect(tokens.authenticate(token)).toEqual({ device: 'edge1', id: entry!.id, access: 'read' });
    expect(tokens.has('edge1')).toBe(false);
    await addToken(path, 'edge1');
    expect(tokens.authenticate(token)).toMatchObject({ access: 'read' });
    expect(tokens.has('edge1')).toBe(true);
  });

  it('is another one, so that its sessions end, once it is for something else', async () => {
    const path = await tokenPath();
    const token = await addToken(path, 'edge1');
    const { tokens } = opened(path);
    const revoked = vi.fn<(ids: ReadonlySet<string>) => void>();
    tokens.onRevoked(revoked);
    const [entry] = await listTokens(path);
    const changed = { version: 1, tokens: [{ ...entry, access: 'read' }] };
    await writeFile(path, JSON.stringify(changed));
    expect(tokens.authenticate(token)).toMatchObject({ access: 'read' });
    expect(revoked).toHaveBeenCalledWith(new Set([entry!.id]));
  });

  it('of an access that is not known makes the file unusable: it must not pass for another one', async () => {
    const path = await tokenPath();
    await addToken(path, 'edge1');
    const [entry] = await listTokens(path);
    await writeFile(path, JSON.stringify({ version: 1, tokens: [{ ...entry, access: 'append' }] }));
    await expect(listTokens(path)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('is revoked by its id, or with all of its device', async () => {
    const path = await tokenPath();
    for (const device of ['edge1', 'edge1', 'edge2', 'edge3']) await addToken(path, device);
    const [first, , third, fourth] = await listTokens(path);
    expect(await revokeToken(path, third!.id)).toEqual([third]);
    expect(await revokeToken(path, 'edge1')).toHaveLength(2);
    expect(await revokeToken(path, first!.id)).toEqual([]);
    expect(await listTokens(path)).toEqual([fourth]);
  });

  it('leaves the file to a group that may read it: a receiver that no longer may would go on with what is revoked', async () => {
    const path = await tokenPath();
    await addToken(path, 'edge1');
    await chmod(path, 0o640);
    await revokeToken(path, 'edge1');
    expect((await stat(path)).mode & 0o777).toBe(0o640);
  });

  it('is for a device', async () => {
    await expect(addToken(await tokenPath(), '../edge1')).rejects.toMatchObject({ code: 'BAD_PATH' });
  });

  it('is not lost when several are made at once', async () => {
    const path = await tokenPath();
    const devices = Array.from({ length: 10 }, (_, i) => `edge${i}`);
    await Promise.all(devices.map((device) => addToken(path, device)));
    expect((await listTokens(path)).map(({ device }) => device).toSorted()).toEqual(devices);
    expect(await readdir(path.slice(0, path.lastIndexOf('/')))).toEqual(['tokens.json']);
  });

  it('is not made while a crash has left the lock, which the error tells how to mend', async () => {
    const path = await tokenPath();
    await writeFile(`${path}.lock`, '');
    await expect(addToken(path, 'edge1')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      path: `${path}.lock`,
      hint: expect.stringContaining('remove it'),
    });
  });

  it('is not added to a file that is malformed, which stays as it is', async () => {
    const path = await tokenPath();
    await writeFile(path, '{"version":1');
    await expect(addToken(path, 'edge1')).rejects.toMatchObject({ code: 'CONFIG_INVALID', path });
    expect(await readFile(path, 'utf8')).toBe('{"version":1');
    await rm(path);
    await addToken(path, 'edge1');
  });
});

describe('a token file', () => {
  it('that is missing is told with its path', async () => {
    const path = await tokenPath();
    const missing = { code: 'CONFIG_INVALID', path, hint: expect.stringContaining('token add') };
    expect(() => opened(path)).toThrow(expect.objectContaining(missing));
    await expect(listTokens(path)).rejects.toMatchObject(missing);
    await expect(revokeToken(path, 'edge1')).rejects.toMatchObject(missing);
  });

  it.each([
    '',
    'no JSON',
    '[]',
    '{"version":2,"tokens":[]}',
    '{"version":1,"tokens":[{"id":"x"}]}',
    '{"version":1,"tokens":[],"more":1}',
    `{"version":1,"tokens":[${' '.repeat(1024 * 1024)}]}`,
  ])('that is malformed is told with its path and the reason: %.40s', async (json) => {
    const path = await tokenPath();
    await writeFile(path, json, { mode: 0o600 });
    expect(() => opened(path)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        path,
        message: expect.stringMatching(/can't be used: .+/s),
      }),
    );
  });

  it('that is a folder is told', async () => {
    const path = await tokenPath();
    await mkdir(path);
    expect(() => opened(path)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', path }));
  });

  it('is warned of when others can read it', async () => {
    const path = await tokenPath();
    await addToken(path, 'edge1');
    expect(opened(path).log.lines).toEqual([]);
    await chmod(path, 0o640);
    expect(opened(path).log.at('warn')).toMatchObject([{ fields: { path } }]);
  });

  it('is read again when it has changed', async () => {
    const path = await tokenPath();
    const first = await addToken(path, 'edge1');
    const { tokens } = opened(path);
    const second = await addToken(path, 'edge2');
    expect(tokens.authenticate(second)).toMatchObject({ device: 'edge2' });
    await revokeToken(path, 'edge1');
    expect(tokens.authenticate(first)).toBeUndefined();
    expect(tokens.authenticate(second)).toMatchObject({ device: 'edge2' });
  });

  it('tells by itself which tokens were revoked', async () => {
    const path = await tokenPath();
    await addToken(path, 'edge1');
    await addToken(path, 'edge2');
    const { tokens } = opened(path);
    const revoked: string[] = [];
    tokens.onRevoked((ids) => revoked.push(...ids));
    const stop = tokens.onRevoked(() => expect.unreachable());
    stop();
    const [first] = await revokeToken(path, 'edge1');
    await vi.waitFor(() => expect(revoked).toEqual([first!.id]), { timeout: 10_000 });
  });

  it('that becomes bad leaves the tokens before in force, and is told once per change', async () => {
    const path = await tokenPath();
    const token = await addToken(path, 'edge1');
    const good = await readFile(path);
    const { tokens, log } = opened(path);
    tokens.onRevoked(() => expect.unreachable());
    await writeFile(path, '{');
    for (let time = 0; time < 3; time++) expect(tokens.authenticate(token)).toBeDefined();
    expect(log.at('error')).toHaveLength(1);
    await rm(path);
    for (let time = 0; time < 3; time++) expect(tokens.authenticate(token)).toBeDefined();
    expect(log.at('error')).toHaveLength(2);
    await writeFile(path, good, { mode: 0o600 });
    expect(tokens.authenticate(token)).toBeDefined();
    expect(log.at('error')).toHaveLength(2);
    expect(log.at('info')).toHaveLength(1);
  });
});

describe('a retention of its own', () => {
  async function withRetention(devices: unknown): Promise<string> {
    const path = await tokenPath();
    for (const device of ['edge1', 'edge2']) await addToken(path, device);
    await change(path, devices);
    return path;
  }

  async function change(path: string, devices: unknown): Promise<void> {
    const tokens = await listTokens(path);
    await writeFile(path, JSON.stringify({ version: 1, tokens, devices }), { mode: 0o600 });
  }

  it('is told of a device of which the file says one, and of no other', async () => {
    const { tokens } = opened(await withRetention({ edge1: { retain: '2w', retainLast: 3 } }));
    expect(tokens.saysRetention).toBe(true);
    expect(tokens.retentionOf('edge1')).toEqual({ retainMs: 14 * 86_400_000, retainLast: 3 });
    expect(tokens.retentionOf('edge2')).toEqual({});
  });

  it('may be that nothing goes', async () => {
    const { tokens } = opened(await withRetention({ edge1: { retain: 'never' } }));
    expect(tokens.retentionOf('edge1')).toEqual({ retainMs: Infinity, retainLast: undefined });
  });

  it('is followed when the file changes, and revokes nobody', async () => {
    const path = await withRetention({ edge1: { retain: '30d' } });
    const { tokens } = opened(path);
    const [read, revoked] = [vi.fn(), vi.fn()];
    tokens.onRead(read);
    tokens.onRevoked(revoked);
    await change(path, { edge1: { retain: '40d' } });
    await vi.waitFor(() => expect(read).toHaveBeenCalled(), { timeout: 20_000 });
    expect(tokens.retentionOf('edge1').retainMs).toBe(40 * 86_400_000);
    expect(revoked).not.toHaveBeenCalled();
  });

  it('outlives the tokens of the device', async () => {
    const path = await withRetention({ edge1: { retain: 'never', retainLast: 2 } });
    const { tokens } = opened(path);
    await revokeToken(path, 'edge1');
    await vi.waitFor(() => expect(tokens.has('edge1')).toBe(false), { timeout: 20_000 });
    expect(tokens.retentionOf('edge1')).toEqual({ retainMs: Infinity, retainLast: 2 });
    await addToken(path, 'edge1', 'read');
    expect(opened(path).tokens.retentionOf('edge1').retainMs).toBe(Infinity);
  });

  it('where none can be stops the start, and later no revocation', async () => {
    const path = await withRetention({ edge1: { retain: '30d' } });
    const log = new RecordingLog();
    const noRetention = 'all is kept here';
    expect(() => openTokenFile(path, log, { noRetention })).toThrow('all is kept here');
    await change(path, {});
    using tokens = openTokenFile(path, log, { noRetention });
    const token = await addToken(path, 'edge3');
    await change(path, { edge1: { retain: '30d' } });
    await vi.waitFor(() => expect(log.at('error')).toHaveLength(1), { timeout: 20_000 });
    expect(tokens.authenticate(token)?.device).toBe('edge3');
    await revokeToken(path, 'edge3');
    expect(tokens.authenticate(token)).toBeUndefined();
  });

  it.each([
    [{ edge1: { retain: '30' } }, 'is no time like'],
    [{ edge1: { retain: '0d' } }, 'is no time like'],
    [{ edge1: { retain: '4000d' } }, 'at most ten years'],
    [{ edge1: { retain: 30 } }, 'devices.edge1.retain'],
    [{ edge1: { retainLast: 0 } }, 'is no whole number from 1 up'],
    [{ edge1: { retainLast: 1.5 } }, 'is no whole number'],
    [{ edge1: { keep: 1 } }, 'keep'],
    [{ '../x': { retain: '1d' } }, 'devices["../x"]'],
  ])('is refused where it says %j', async (devices, told) => {
    const path = await tokenPath();
    await addToken(path, 'edge1');
    await change(path, devices);
    const open = () => openTokenFile(path, new RecordingLog());
    expect(open).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', path, hint: expect.any(String) }));
    expect(open).toThrow(told);
  });
});
