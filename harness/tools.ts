import { accessSync, appendFileSync, constants, existsSync, globSync, readdirSync } from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import { expect } from 'vitest';
import { type Gap, isFailure, isRoot, NO_GAPS } from './gaps.ts';
import { RABBITMQ_SERVER } from './rabbit-server.ts';

/** What tests start beside Node and a plain Debian, and the package it comes in. */
const PACKAGES = {
  age: 'age',
  aws: 'awscli',
  chattr: 'e2fsprogs',
  chromium: 'chromium',
  curl: 'curl',
  debootstrap: 'debootstrap',
  debugfs: 'e2fsprogs',
  faketime: 'faketime',
  fusermount3: 'fuse3',
  groff: 'groff-base',
  haproxy: 'haproxy',
  inotifywait: 'inotify-tools',
  ip: 'iproute2',
  jq: 'jq',
  lintian: 'lintian',
  'mkfs.exfat': 'exfatprogs',
  'mkfs.ext4': 'e2fsprogs',
  'mount.exfat-fuse': 'exfat-fuse',
  'nats-server': 'nats-server',
  nginx: 'nginx',
  openssl: 'openssl',
  promtool: 'prometheus',
  python3: 'python3',
  'python3-seccomp': 'python3-seccomp',
  'rabbitmq-server': 'rabbitmq-server',
  rclone: 'rclone',
  restic: 'restic',
  rsync: 'rsync',
  setfacl: 'acl',
  strace: 'strace',
  'systemd-analyze': 'systemd',
  zstd: 'zstd',
} as const;

export type Tool = keyof typeof PACKAGES;

/** Whether this machine lacks `tool`. If so, the test file is named in the last lines of the run: see {@link leaveOut}. */
export function lacks(tool: Tool): boolean {
  if (isThere(tool)) return false;
  leaveOut(tool, `apt-get install ${PACKAGES[tool]}`);
  return true;
}

/** Whether this user is not root. If so, the test file is named likewise. */
export function lacksRoot(): boolean {
  return mayNot('do what only root may', isRoot ? undefined : 'run the tests as root');
}

/** Whether there is a reason, `why`, for which this user may not do something. If so, the test file is named likewise. */
export function mayNot(act: string, why: string | undefined): boolean {
  if (why === undefined) return false;
  leaveOut(act, why, 'permission');
  return true;
}

/**
 * Tells that the calling test file leaves something out for want of a tool, or of a permission; throws where that must not be.
 * Each test file has to call this itself: a module that several of them import runs once for all of them.
 * @param what the tool, or what this user may not do
 * @param cure how to get it, or why not
 */
export function leaveOut(what: string, cure: string, kind: Gap['kind'] = 'tool'): void {
  if (isFailure(kind)) {
    const gap = kind === 'tool' ? `${what} is missing` : `root may not ${what}`;
    throw new Error(`${gap} (${NO_GAPS} is set): ${cure}`);
  }
  const told = process.env['ISYNC_TEST_LEFT_OUT'];
  if (told === undefined) return;
  const file = relative(process.cwd(), expect.getState().testPath ?? '');
  appendFileSync(told, `${JSON.stringify({ kind, what, cure, file } satisfies LeftOut)}\n`);
}

/** A line for the summary of the run: see tools-setup.ts. */
export interface LeftOut {
  readonly kind: Gap['kind'];
  readonly what: string;
  readonly cure: string;
  readonly file: string;
}

/** Of Debian's package `faketime`: gives a process another clock, as far as it can tell. */
export function libfaketime(): string | undefined {
  const folder = readdirSync('/usr/lib', { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join('/usr/lib', name, 'faketime'))
    .find((folder) => existsSync(folder));
  return folder === undefined ? undefined : join(folder, 'libfaketimeMT.so.1');
}

function isThere(tool: Tool): boolean {
  if (tool === 'rabbitmq-server') return isExecutable(RABBITMQ_SERVER);
  if (tool === 'python3-seccomp') return globSync('/usr/lib/python3/dist-packages/seccomp*.so').length > 0;
  if (tool === 'faketime' && libfaketime() === undefined) return false;
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => isExecutable(join(folder, tool)));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
