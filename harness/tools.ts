import { accessSync, appendFileSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import { expect } from 'vitest';

/** What tests start beside Node and a plain Debian, and the package it comes in. */
const PACKAGES = {
  aws: 'awscli',
  chattr: 'e2fsprogs',
  debugfs: 'e2fsprogs',
  faketime: 'faketime',
  inotifywait: 'inotify-tools',
  'mkfs.ext4': 'e2fsprogs',
  openssl: 'openssl',
  python3: 'python3',
  rclone: 'rclone',
  setfacl: 'acl',
  strace: 'strace',
} as const;

export type Tool = keyof typeof PACKAGES;

/** Set where every tool must be there: a gap is a failure then. */
const NO_GAPS = 'ISYNC_TEST_NO_GAPS';

/** Whether this machine lacks `tool`. If so, the test file is named in the last lines of the run: see {@link leaveOut}. */
export function lacks(tool: Tool): boolean {
  if (isThere(tool)) return false;
  leaveOut(tool, `apt-get install ${PACKAGES[tool]}`);
  return true;
}

/** Tells that the calling test file leaves something out for want of `tool`; throws where that must not be. */
export function leaveOut(tool: string, cure: string): void {
  if ((process.env[NO_GAPS] ?? '') !== '') throw new Error(`${tool} is missing (${NO_GAPS} is set): ${cure}`);
  const told = process.env['ISYNC_TEST_LEFT_OUT'];
  if (told === undefined) return;
  const file = relative(process.cwd(), expect.getState().testPath ?? '');
  appendFileSync(told, `${JSON.stringify({ tool, cure, file })}\n`);
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
