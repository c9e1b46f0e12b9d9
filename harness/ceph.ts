import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { S3Credentials } from './s3-access.ts';

/** The script that knows Ceph; `ceph help` tells what it does. */
const SCRIPT = fileURLToPath(new URL('ceph', import.meta.url));

/** Commands that this machine lacks for it, or undefined. */
export function missingForCeph(): string | undefined {
  const { status, stdout, error } = spawnSync(SCRIPT, ['missing'], { encoding: 'utf8' });
  if (error !== undefined) throw error;
  return status === 0 ? undefined : stdout.trim();
}

/** The server in `folder`, started by whoever asks first; it ends with the process `owner`. */
export async function startCeph(folder: string, owner: number): Promise<Record<string, string>> {
  return await settingsFrom(['start', folder, '--while', String(owner)]);
}

/** Keys of another user of the server in `folder`. */
export async function cephUser(folder: string, name: string): Promise<Record<string, string>> {
  return await settingsFrom(['user', folder, name]);
}

/** Takes the keys of a user away, until {@link giveCephKey} gives them back. */
export async function revokeCephKey(folder: string, name: string, key: S3Credentials): Promise<void> {
  await promisify(execFile)(SCRIPT, ['revoke', folder, name, key.accessKeyId]);
}

export async function giveCephKey(folder: string, name: string, key: S3Credentials): Promise<void> {
  await promisify(execFile)(SCRIPT, ['give', folder, name, key.accessKeyId, key.secretAccessKey]);
}

/** The process that holds all daemons of the server in `folder`, as its children. */
export function keeperOfCeph(folder: string): number {
  return Number(readFileSync(join(folder, 'keep.pid'), 'utf8'));
}

export function stopCeph(folder: string): void {
  spawnSync(SCRIPT, ['stop', folder], { stdio: 'inherit' });
}

async function settingsFrom(args: readonly string[]): Promise<Record<string, string>> {
  const { stdout } = await promisify(execFile)(SCRIPT, args);
  const lines = stdout.trim().split('\n');
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}
