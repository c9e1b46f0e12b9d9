import { mkdirSync, statSync, lstatSync, readdirSync, type Stats } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';

/** Where units with `RuntimeDirectory=isync/NAME` have their folders. */
const SERVICES = '/run/isync';

/** What the folders depend on. */
export interface RuntimePlace {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
}

export function runtimePlace(): RuntimePlace {
  return { environment: process.env, uid: process.getuid?.() ?? 0 };
}

/**
 * Returns the folder for sockets of this process, made where it is not there: that of its unit, else that of its user's session, else one
 * of its user among the temporary files. It is ours, and nobody else may write to it: whoever could would answer in our name.
 * @throws IsyncError CONFIG_INVALID where none of them can be had
 */
export function openRuntimeFolder({ environment, uid }: RuntimePlace): string {
  const { session, temporary, units } = placesOf({ environment, uid });
  const [unit] = units;
  let fault: unknown;
  for (const open of [
    () => unit && checked(unit, uid, 0o022),
    () => session && made(session, uid),
    () => made(temporary, uid),
  ]) {
    try {
      const folder = open();
      if (folder !== undefined) return folder;
    } catch (error) {
      fault = error;
    }
  }
  throw fault;
}

/** Returns every folder where sockets of this user, or of units, may be; those that are there. */
export function runtimeFolders(place: RuntimePlace): string[] {
  const { session, temporary, units } = placesOf(place);
  const found = new Set([...units, SERVICES, ...foldersIn(SERVICES)].filter(isFolder));
  if (session !== undefined && isFolder(session)) found.add(session);
  // Anybody may make a folder of that name there.
  if (statsOf(temporary)?.uid === place.uid && isFolder(temporary)) found.add(temporary);
  return [...found];
}

function placesOf({ environment, uid }: RuntimePlace) {
  const session = environment['XDG_RUNTIME_DIR'];
  return {
    // Several are divided by colons: https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#RuntimeDirectory=
    units: (environment['RUNTIME_DIRECTORY'] ?? '').split(':').filter((path) => path !== ''),
    session: session === undefined || session === '' ? undefined : join(session, 'isync'),
    temporary: join(tmpdir(), `isync-${uid}`),
  };
}

function made(folder: string, uid: number): string {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw unusable(folder, 'it can not be made', error);
  }
  return checked(folder, uid, 0o077);
}

/** @param forbidden permissions that it must not have */
function checked(folder: string, uid: number, forbidden: number): string {
  const stats = statsOf(folder);
  if (stats === undefined) throw unusable(folder, 'it is not there');
  if (!stats.isDirectory()) throw unusable(folder, 'it is no folder');
  if (stats.uid !== uid) throw unusable(folder, 'it belongs to another user');
  if ((stats.mode & forbidden) !== 0) throw unusable(folder, 'others may write to it, or look into it');
  return folder;
}

function unusable(path: string, reason: string, cause?: unknown): IsyncError {
  return new IsyncError('CONFIG_INVALID', `the folder for the status socket can't be used: ${reason}`, {
    path,
    cause,
    hint: 'Give the unit RuntimeDirectory=isync/NAME, or set XDG_RUNTIME_DIR.',
  });
}

function statsOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}

/** Follows links: systemd makes one for a unit with DynamicUser. */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name));
  } catch {
    // Not there, or not for us.
    return [];
  }
}
