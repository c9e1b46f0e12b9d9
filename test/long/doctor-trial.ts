import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lacks, lacksRoot } from '../../harness/tools.ts';
import { DoctorStage, start, type Start } from './doctor-stage.ts';

/** A set-up that does not work, or not well. */
export interface SetUp extends Start {
  readonly command: 'scan' | 'receive' | 'verify' | 'webhook' | 'mirror';
  readonly args: readonly string[];
}

export interface Case {
  readonly name: string;
  readonly given: () => SetUp | Promise<SetUp>;
  readonly code?: string;
  /** What is wrong, in the words of both. */
  readonly says: RegExp;
  /** What to do about it, in the words of both. */
  readonly cure: RegExp;
  /** What the command itself does: ends, goes on and tells it in its log, or does not notice, and why. Default: ends. */
  readonly itself?: 'ends' | 'logs' | { readonly unnoticed: string };
  /** Path of a request that a server gets once it listens, for only that meets it. */
  readonly ask?: string;
  readonly level?: 'warn' | 'fail';
}

interface Check {
  readonly name: string;
  readonly level: 'ok' | 'warn' | 'fail';
  readonly message: string;
  readonly code?: string;
  readonly hint?: string;
}

/** Of a scan that is to end by itself. */
export const ONCE = ['--device', 'edge1', '--once', '--retry-for', '15s'];

/** What set-ups begin with: a receiver for anybody, and one with a certificate and tokens. */
interface Given {
  stage: DoctorStage;
  plain: string;
  guarded: string;
  good: { readonly cert: string; readonly key: string };
}

// eslint-disable-next-line typescript/no-unsafe-type-assertion -- filled in before the first test
export const at = {} as Given;

const TOOLS = ['openssl', 'faketime', 'setfacl', 'inotifywait', 'rclone', 'fusermount3'] as const;

/** To be called by each test file. Returns whether its tests are left out. */
export function withDoctorStage(): boolean {
  const left = lacksRoot() || TOOLS.map(lacks).includes(true);
  beforeAll(async () => {
    if (left) return;
    const stage = new DoctorStage();
    const tokens = stage.path('tokens');
    await stage.token(tokens, 'edge1');
    await stage.token(tokens, 'edge2');
    await stage.token(tokens, 'edge1', { more: ['--read'], name: 'reads' });
    const good = stage.certificate('good', 'DNS:localhost,IP:127.0.0.1');
    const [plain, guarded] = await Promise.all([
      stage.receiver(),
      stage.receiver(['--tokens', tokens, '--tls-cert', good.cert, '--tls-key', good.key]),
    ]);
    Object.assign(at, { stage, plain, guarded, good });
  });
  afterAll(async () => {
    if (!left) await at.stage[Symbol.asyncDispose]();
  });
  return left;
}

/** Tries each: doctor and the command itself name what is wrong, and the cure, in the same words. */
export function tryEach(what: string, cases: readonly Case[], left: boolean): void {
  describe.skipIf(left)(
    `isync doctor names, with the cure that the command itself names, about ${what}:`,
    () => {
      it.concurrent.each(cases)('$name', async (each) => {
        expect(await tried(each)).toEqual(expected(each));
      });
    },
  );
}

/** `isync scan` of a root that is as it should be. */
export function scanTo(to: string, ...more: readonly string[]): SetUp {
  return { command: 'scan', args: [at.stage.root(), '--to', to, ...ONCE, ...more] };
}

export function tmpfs(options: string, name = 'disk'): string {
  const path = at.stage.make(name);
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'isync-test', path]);
  at.stage.defer(() => execFileSync('umount', [path]));
  return path;
}

/** What doctor tells of a set-up, and what the command itself tells: the same text under each name. */
async function tried({ given, cure, itself = 'ends', level = 'fail', ask }: Case) {
  const { command, args: shared, ...how } = await given();
  const args = asOwnDevice(shared);
  await using doctor = start(['doctor', command, ...args, '--json'], how);
  const { exitCode, stdout } = await doctor.ended;
  const { checks } = JSON.parse(stdout) as { checks: readonly Check[] };
  const told = { exitCode, checks: checks.filter((check) => check.level === level) };
  if (typeof itself === 'object') return { told };
  await using daemon = start([command, ...args], how);
  if (ask !== undefined) {
    const listening = (): string | undefined => /listening on (http:\/\/[\w.:]+)/.exec(daemon.stdout)?.[1];
    await daemon.until('it to listen', () => listening() !== undefined);
    await (await fetch(`${listening()}${ask}`)).text();
  }
  if (itself === 'logs') await daemon.until('the cure', () => cure.test(daemon.stderr));
  else await daemon.ended;
  const { stderr } = daemon;
  return { told, failed: daemon.exitCode !== 0, says: stderr, cure: stderr, code: stderr };
}

let devices = 1;

/**
 * Set-ups are tried beside each other, and a receiver ends one session of a device for the next: to the one for anybody each goes as a
 * device of its own.
 */
function asOwnDevice(args: readonly string[]): readonly string[] {
  if (!args.includes(at.plain)) return args;
  const device = `edge${++devices}`;
  return args.map((arg) => (arg === 'edge1' ? device : arg));
}

function expected({ code, says, cure, itself = 'ends', level = 'fail' }: Case) {
  const text = (pattern: RegExp) => expect.stringMatching(pattern) as string;
  const check: unknown = expect.objectContaining({
    message: text(says),
    hint: text(cure),
    ...(code !== undefined && { code }),
  });
  const told = { exitCode: level === 'fail' ? 1 : 0, checks: expect.arrayContaining([check]) as unknown };
  if (typeof itself === 'object') return { told };
  // The log of what goes on need not have the code.
  const coded = text(code === undefined || itself === 'logs' ? /./ : new RegExp(code));
  return { told, failed: true, says: text(says), cure: text(cure), code: coded };
}
