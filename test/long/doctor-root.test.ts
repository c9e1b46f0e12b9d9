import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lacks } from '../../harness/tools.ts';
import { NOBODY, startProgram } from './doctor-stage.ts';
import { at, type Case, ONCE, scanTo, tmpfs, tryEach, withDoctorStage } from './doctor-trial.ts';

const left = withDoctorStage();

/** Keeps no modes, as vfat and exFAT: rclone takes a chmod and forgets it. */
async function mountWithoutModes(): Promise<string> {
  const [root, path] = [at.stage.root(), at.stage.make('mounted')];
  const mount = startProgram('rclone', ['mount', root, path, '--vfs-cache-mode', 'writes']);
  at.stage.defer(() => execFileSync('fusermount3', ['-u', path]));
  await mount.until('the mount', () => statSync(path).dev !== statSync(root).dev);
  return path;
}

/** A real volume without Unix permissions: whatever chmod(2) is told, its files have the bits that `mask` leaves. */
function mountExfat(mask: string): string {
  const [image, path] = [at.stage.write('exfat.img', ''), at.stage.make('mounted')];
  execFileSync('truncate', ['--size', '16M', image]);
  execFileSync('mkfs.exfat', [image], { stdio: 'pipe' });
  const disk = execFileSync('losetup', ['--find', '--show', image], { encoding: 'utf8' }).trim();
  at.stage.defer(() => execFileSync('losetup', ['--detach', disk]));
  execFileSync('mount.exfat-fuse', ['-o', `umask=${mask}`, disk, path], { stdio: 'pipe' });
  at.stage.defer(() => execFileSync('umount', [path]));
  mkdirSync(join(path, 'D1'));
  for (const name of ['a', 'finished.parse']) writeFileSync(join(path, 'D1', name), name);
  return path;
}

const EXFAT: readonly Case[] = ['022', '000'].map((mask) => ({
  name: `mask ${mask}`,
  given: () => ({ command: 'scan', args: [mountExfat(mask), '--to', at.plain, ...ONCE] }),
  code: 'MARK_NOT_KEPT',
  says: /the file system does not keep the group-write bit/,
  cure: /Use a file system with Unix permissions for the root \(vfat, exFAT/,
}));

const ROOT: readonly Case[] = [
  {
    name: 'a root that is not there',
    given: () => ({ command: 'scan', args: [at.stage.path('no-root'), '--to', at.plain, ...ONCE] }),
    code: 'ROOT_MISSING',
    says: /is not a folder/,
    cure: /Create it, mount it, or name another root/,
  },
  {
    name: 'a root that is a data directory',
    given: () => ({ command: 'scan', args: [join(at.stage.root(), 'D1'), '--to', at.plain, ...ONCE] }),
    code: 'CONFIG_INVALID',
    says: /looks like a data directory itself/,
    cure: /Give its parent: isync scan/,
  },
  {
    name: 'a root that may not be read',
    given: () => {
      const root = at.stage.root();
      chmodSync(root, 0o700);
      return { command: 'scan', args: [root, '--to', at.plain, ...ONCE], uid: NOBODY };
    },
    code: 'FILE_UNREADABLE',
    says: /EACCES/,
    cure: /Grant isync read permission/,
  },
  {
    name: 'a root that is mounted read-only',
    given: () => {
      const root = tmpfs('size=1m');
      mkdirSync(join(root, 'D1'));
      writeFileSync(join(root, 'D1/a'), 'a');
      execFileSync('mount', ['-o', 'remount,ro', root]);
      return { command: 'scan', args: [root, '--to', at.plain, ...ONCE] };
    },
    code: 'READ_ONLY',
    says: /EROFS/,
    cure: /Mount the root writable/,
  },
  {
    name: 'files of another user',
    given: () => ({ command: 'scan', args: [at.stage.root(), '--to', at.plain, ...ONCE], uid: NOBODY }),
    code: 'MARK_NOT_KEPT',
    says: /can't be marked|could be marked/,
    cure: /Run isync as the owner of the files \(or as root\)/,
  },
  {
    name: 'a file system without Unix permissions',
    given: async () => ({ command: 'scan', args: [await mountWithoutModes(), '--to', at.plain, ...ONCE] }),
    code: 'MARK_NOT_KEPT',
    says: /the file system does not keep the group-write bit/,
    cure: /Use a file system with Unix permissions for the root \(vfat, exFAT/,
  },
  {
    name: 'a parser with umask 002',
    given: () => {
      const root = at.stage.root();
      // As the last write leaves it: nothing comes after.
      const path = join(root, 'D2/b');
      chmodSync(path, 0o664);
      utimesSync(path, statSync(path).atime, new Date(Date.now() + 1000));
      return { command: 'scan', args: [root, '--to', at.plain, ...ONCE] };
    },
    says: /made with the group-write bit/,
    cure: /umask 022/,
    level: 'warn',
    itself: { unnoticed: 'it can not tell such a file from one that is marked: README and docs say so' },
  },
  {
    name: 'a default ACL',
    given: () => {
      const root = at.stage.root();
      execFileSync('setfacl', ['-d', '-m', 'g::rwx', join(root, 'D2')]);
      return { command: 'scan', args: [root, '--to', at.plain, ...ONCE] };
    },
    says: /by a default ACL/,
    cure: /setfacl -k/,
    level: 'warn',
    itself: { unnoticed: 'it can not tell such a file from one that is marked' },
  },
  {
    name: 'no inotify-tools',
    given: () => ({
      command: 'scan',
      args: [at.stage.root(), '--to', at.plain, '--device', 'edge1', '--complete', 'close-write'],
      env: { PATH: '/nonexistent' },
    }),
    code: 'CONFIG_INVALID',
    says: /inotifywait is not installed/,
    cure: /apt-get install inotify-tools/,
  },
  {
    name: 'too few inotify watches',
    given: () => ({
      command: 'scan',
      args: [at.stage.root(), '--to', at.plain, '--device', 'edge1', '--complete', 'settle'],
      wrap: ['unshare', '-Ur', 'sh', '-c', 'echo 1 >/proc/sys/user/max_inotify_watches; exec "$@"', 'sh'],
    }),
    says: /the limit of inotify watches is reached/,
    cure: /sysctl fs\.inotify\.max_user_watches/,
    level: 'warn',
    itself: 'logs',
  },
  {
    name: 'no inotify instances',
    given: () => ({
      command: 'scan',
      args: [at.stage.root(), '--to', at.plain, '--device', 'edge1', '--complete', 'settle'],
      wrap: ['unshare', '-Ur', 'sh', '-c', 'echo 0 >/proc/sys/user/max_inotify_instances; exec "$@"', 'sh'],
    }),
    says: /the limit of inotify instances/,
    cure: /sysctl fs\.inotify\.max_user_instances/,
    level: 'warn',
    itself: 'logs',
  },
  {
    name: 'few open files',
    given: () => ({ ...scanTo(at.plain), wrap: ['sh', '-c', 'ulimit -n 200; exec "$@"', 'sh'] }),
    says: /may have 200 open files/,
    cure: /Raise the limit of open files \(ulimit -n, LimitNOFILE=\)/,
    level: 'warn',
    itself: 'logs',
  },
];

const TO_FOLDER: readonly Case[] = [
  {
    name: 'a target folder that is not there',
    given: () => scanTo(at.stage.path('no-target')),
    code: 'STORE_MISSING',
    says: /the target folder is not there/,
    cure: /Make it with: mkdir -p/,
  },
  {
    name: 'a target inside the root',
    given: () => {
      const root = at.stage.root();
      return { command: 'scan', args: [root, '--to', join(root, 'D1'), ...ONCE] };
    },
    code: 'CONFIG_INVALID',
    says: /lies inside the root/,
    cure: /Root and target must be apart/,
  },
  {
    name: 'a target that may not be written to',
    given: () => ({
      command: 'scan',
      args: [at.stage.root(NOBODY), '--to', at.stage.make('target'), ...ONCE],
      uid: NOBODY,
    }),
    code: 'STORE_FAILED',
    says: /not permitted to write the store/,
    cure: /must be allowed to write everywhere below the store/,
  },
  {
    name: 'a full target',
    given: () => {
      const target = tmpfs('size=64k');
      execFileSync('sh', ['-c', 'head -c 1M /dev/zero >"$0/all" || true', target], { stdio: 'pipe' });
      return scanTo(target);
    },
    code: 'STORE_FULL',
    says: /the store is full/,
    cure: /Free some space or raise the quota/,
  },
];

tryEach('the root', ROOT, left);
tryEach('a target folder', TO_FOLDER, left);
tryEach('an exFAT volume', EXFAT, [left, lacks('mkfs.exfat'), lacks('mount.exfat-fuse')].includes(true));
