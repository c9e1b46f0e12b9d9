import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assert, asyncProperty, string } from 'fast-check';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { checkScript } from '../../src/events/action/script/check-script.ts';
import { scriptAction } from '../../src/events/action/script/script-action.ts';
import type { ObjectEvent } from '../../src/events/object-event.ts';
import { type ScriptStage, scriptStage } from './script-stage.ts';

let stage: ScriptStage;
beforeEach(() => void (stage = scriptStage()));

/** Leaves each argument with a NUL behind it. */
const TELL = `printf '%s\\0' "$@" > "$HERE/args"`;
const args = () => stage.left('args').split('\0').slice(0, -1);

describe('a script', () => {
  it('gets bucket, key and what to do', async () => {
    const run = stage.script(TELL);
    expect(await run()).toEqual({ outcome: 'done' });
    expect(args()).toEqual(['photos', 'a/b.jpg', 'copy']);
    await run({ event: { kind: 'removed' } });
    expect(args()).toEqual(['photos', 'a/b.jpg', 'delete']);
  });

  it.each([
    'with two  blanks ',
    '-rf',
    '--delete',
    '100%25 %s%n',
    'line\nbreak\n',
    `quotes ' " \``,
    '$(touch x); `id` && * ? [a] ~ \\ | > y',
    'ключ/日本語/é̀/🗝',
    '\u0001\u001b[31m\t\r',
    'ISYNC_KEY=1',
  ])('gets the key %j as it is', async (key) => {
    await stage.script(`${TELL}; printf '%s\\0' "$ISYNC_KEY" > "$HERE/key"`)({ event: { key } });
    expect(args()).toEqual(['photos', key, 'copy']);
    expect(stage.left('key')).toBe(`${key}\0`);
  });

  it('gets any key as it is', async () => {
    const run = stage.script(TELL);
    await assert(
      asyncProperty(
        string({ unit: 'grapheme', minLength: 1, maxLength: 200 }).filter((key) => !key.includes('\0')),
        async (key) => {
          await run({ event: { key } });
          expect(args()[1]).toBe(key);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('gets the event on stdin, also a large one', async () => {
    const body = JSON.stringify({ Records: [{ more: 'x'.repeat(900_000) }] });
    await stage.script(`cat > "$HERE/stdin"`)({ body: () => body });
    expect(stage.left('stdin')).toBe(`${body}\n`);
  });

  it.each(['exit 0', 'exec <&-; sleep 0.1', 'head -c 1 > /dev/null'])(
    'need not read the event: %s',
    async (text) => {
      const body = () => 'x'.repeat(900_000);
      expect(await stage.script(text)({ body })).toEqual({ outcome: 'done' });
    },
  );

  it('finds the event in its environment', async () => {
    const run = stage.script(`env | grep ^ISYNC_ | sort > "$HERE/env"`);
    await run({ attempt: 7, messageId: 'm-42' });
    expect(stage.left('env').trim().split('\n')).toEqual([
      'ISYNC_ACTION=copy',
      'ISYNC_ATTEMPT=7',
      'ISYNC_BUCKET=photos',
      'ISYNC_ETAG=abc',
      'ISYNC_EVENT=ObjectCreated:Put',
      'ISYNC_ID=m-42',
      'ISYNC_KEY=a/b.jpg',
      'ISYNC_VERSION=v1',
    ]);
    await run({ event: { etag: undefined, versionId: undefined } });
    expect(stage.left('env')).toContain('ISYNC_ETAG=\n');
    expect(stage.left('env')).toContain('ISYNC_VERSION=\n');
  });

  it('finds none of our settings and secrets there, and all else', async () => {
    for (const name of ['AWS_SECRET_ACCESS_KEY', 'ISYNC_TOKEN', 'ISYNC_KEY', 'CREDENTIALS_DIRECTORY'])
      vi.stubEnv(name, 'sesame');
    vi.stubEnv('MY_SETTING', 'kept');
    try {
      await stage.script(`env > "$HERE/env"`)();
    } finally {
      vi.unstubAllEnvs();
    }
    expect(stage.left('env')).not.toContain('sesame');
    expect(stage.left('env')).toContain('MY_SETTING=kept\n');
    expect(stage.left('env')).toContain('PATH=');
  });

  it('has one place for each key of each bucket', () => {
    const action = scriptAction({ file: '/bin/true', log: stage.log });
    const place = (bucket: string, key: string) => {
      const route = action.route({ bucket, key } as ObjectEvent);
      return route.kind === 'task' ? route.place : route.kind;
    };
    expect(place('a', 'b/c')).toBe(place('a', 'b/c'));
    expect(place('a', 'b/c')).not.toBe(place('a.b', '/c'));
    expect(place('a', 'b\0c')).toBe('refused');
  });
});

describe('the end of a script', () => {
  it('with 75 asks for another run later', async () => {
    const ran = stage.script('exit 75')();
    await expect(ran).rejects.toMatchObject({ code: 'SCRIPT_FAILED', retryable: true });
  });

  it.each([
    ['exit 1', 'the script ended with 1'],
    ['exit 255', 'the script ended with 255'],
    ['kill -SEGV $$', 'the script was ended by SIGSEGV'],
    ['kill -KILL $$', 'the script was ended by SIGKILL'],
  ])('by "%s" is a failure', async (text, message) => {
    await expect(stage.script(text)()).rejects.toMatchObject({
      code: 'SCRIPT_FAILED',
      retryable: false,
      message,
    });
  });

  it('comes again where it could not be started, and that is told aloud once', async () => {
    const run = stage.script('exit 0');
    const file = join(stage.folder, 'script 1.sh');
    renameSync(file, `${file}.new`);
    await expect(run()).rejects.toMatchObject({ code: 'CONFIG_INVALID', retryable: true, path: file });
    await expect(run()).rejects.toMatchObject({ retryable: true });
    expect(stage.log.at('error')).toHaveLength(1);
    expect(stage.log.messages.join()).toContain('could not be started');
    renameSync(`${file}.new`, file);
    expect(await run()).toEqual({ outcome: 'done' });
    writeFileSync(file, '#!/no/such/interpreter\n');
    await expect(run()).rejects.toMatchObject({ retryable: true });
  });
});

describe('checkScript', () => {
  it('lets an executable file pass, and refuses all else', () => {
    const file = join(stage.folder, 'x');
    const refusal = (message: RegExp) =>
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        path: file,
        message: expect.stringMatching(message),
      });
    expect(() => checkScript(file)).toThrow(refusal(/no such file/));
    mkdirSync(file);
    expect(() => checkScript(file)).toThrow(refusal(/no file/));
    rmSync(file, { recursive: true });
    writeFileSync(file, '#!/bin/sh\n');
    expect(() => checkScript(file)).toThrow(refusal(/not executable/));
    chmodSync(file, 0o755);
    checkScript(file);
  });
});
