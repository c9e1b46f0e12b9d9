import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseDeviceName } from '../model/device-name.ts';
import { errnoOf, IsyncError } from '../model/isync-error.ts';
import { syncFolder } from '../model/sync-folder.ts';
import {
  formatTokenFile,
  invalidTokenFile,
  parseTokenFile,
  type TokenAccess,
  type TokenEntry,
  type TokenFileContent,
} from './token-entries.ts';

/** Marks a secret as a token of isync, for people and for scanners of leaked secrets. */
const TOKEN_PREFIX = 'isync_';
/** Bytes of randomness in a token: 256 bits can't be guessed, so that a fast hash is enough to keep them. */
const TOKEN_BYTES = 32;
/** Bytes of randomness in a token's id. */
const ID_BYTES = 6;
/** How long a change waits for another change of the same file, in ms. A change takes a few. */
const LOCK_WAIT_MS = 2000;
/** Pause between two tries to get the lock, in ms. */
const LOCK_RETRY_MS = 25;

/**
 * Makes a token for `device`, beside those it has. Makes the file where there is none, and replaces it in one durable
 * step.
 * @returns the token, which is kept nowhere
 * @throws IsyncError BAD_PATH (device name), CONFIG_INVALID (file)
 */
export async function addToken(path: string, device: string, access: TokenAccess = 'write'): Promise<string> {
  const token = TOKEN_PREFIX + randomBytes(TOKEN_BYTES).toString('base64url');
  const entry: TokenEntry = {
    id: randomBytes(ID_BYTES).toString('hex'),
    device: parseDeviceName(device),
    sha256: hashToken(token).toString('hex'),
    created: new Date().toISOString(),
    ...(access === 'read' && { access }),
  };
  await changeTokens(path, (tokens) => [...tokens, entry]);
  return token;
}

/** @throws IsyncError CONFIG_INVALID, also where there is no file */
export async function listTokens(path: string): Promise<readonly TokenEntry[]> {
  return ((await readContent(path)) ?? missing(path)).tokens;
}

/**
 * Revokes the token with this id, or every token of this device. A server that runs refuses them at once, and ends their sessions
 * within about a second.
 * @returns the revoked tokens; none where no token has that id or device
 * @throws IsyncError CONFIG_INVALID, also where there is no file
 */
export async function revokeToken(path: string, deviceOrId: string): Promise<readonly TokenEntry[]> {
  const concerned = ({ id, device }: TokenEntry): boolean => id === deviceOrId || device === deviceOrId;
  const found = (await listTokens(path)).filter(concerned);
  if (found.length > 0) await changeTokens(path, (tokens) => tokens.filter((token) => !concerned(token)));
  return found;
}

export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function missing(path: string): never {
  throw invalidTokenFile(path, 'there is no such file');
}

async function readContent(path: string): Promise<TokenFileContent | undefined> {
  let json: string;
  try {
    json = await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw unusable(path, error);
  }
  return parseTokenFile(json, path);
}

/** Replaces the file. Its new version, made exclusively, is the lock: of two changes at a time one waits, and both are kept. */
async function changeTokens(
  path: string,
  change: (tokens: readonly TokenEntry[]) => readonly TokenEntry[],
): Promise<void> {
  const temporary = `${path}.lock`;
  const file = await openLock(temporary);
  try {
    const before = (await readContent(path)) ?? { tokens: [] };
    await keepReaders(file, path);
    await file.writeFile(formatTokenFile({ ...before, tokens: change(before.tokens) }));
    await file.sync();
    await file.close();
    await rename(temporary, path);
  } catch (error) {
    await file.close();
    await rm(temporary, { force: true });
    throw error instanceof IsyncError ? error : unusable(path, error);
  }
  // Its path may lead over a symlink.
  await syncFolder(await realpath(dirname(path)));
}

async function openLock(path: string): Promise<FileHandle> {
  const deadline = performance.now() + LOCK_WAIT_MS;
  for (;;) {
    try {
      return await open(path, 'wx', 0o600);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') throw folderMissing(dirname(path));
      if (errnoOf(error) !== 'EEXIST') throw unusable(path, error);
      if (performance.now() > deadline)
        throw new IsyncError('CONFIG_INVALID', `${path} is held by another change of the token file`, {
          path,
          hint: 'If no other "isync token" is running, a crash has left it there: remove it.',
        });
    }
    await delay(LOCK_RETRY_MS);
  }
}

/** Gives the new version owner and mode of the old one: root's change must not lock out the server's own user. */
async function keepReaders(file: FileHandle, path: string): Promise<void> {
  let before: { uid: number; gid: number; mode: number };
  try {
    before = await stat(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  const ours = await file.stat();
  if (ours.uid !== before.uid || ours.gid !== before.gid) await file.chown(before.uid, before.gid);
  await file.chmod(before.mode & 0o777);
}

function folderMissing(folder: string): IsyncError {
  return new IsyncError('CONFIG_INVALID', `the folder ${folder} is not there`, {
    path: folder,
    hint: `Make it with: mkdir -p ${folder}`,
  });
}

function unusable(path: string, error: unknown): IsyncError {
  return invalidTokenFile(path, error instanceof Error ? error.message : String(error), { cause: error });
}
