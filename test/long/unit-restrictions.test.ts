import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { underFilterOf } from '../../harness/syscall-filter.ts';
import { lacks, lacksRoot } from '../../harness/tools.ts';
import { DoctorStage, NOBODY, start, startProgram } from './doctor-stage.ts';

/**
 * What deploy/*.service ask of systemd, as far as it can be had without it: all read-only but one folder, no capability, none to be got, and
 * no calls to the kernel but theirs.
 */
const RESTRICTED = `
mount --make-rprivate / && mount --bind "$1" "$1" && mount -o remount,bind,ro / && mount -o remount,bind,rw "$1" || exit 99
shift
exec setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
`;

/** Starts it so that it may write to `folder` alone, and call what the unit lets it. */
function restricted(folder: string, unit: 'receive' | 'scan'): readonly string[] {
  const text = readFileSync(new URL(`../../deploy/isync-${unit}.service`, import.meta.url), 'utf8');
  return ['unshare', '--mount', 'sh', '-c', RESTRICTED, 'sh', folder, ...underFilterOf(text)];
}

const without = [lacksRoot(), lacks('python3'), lacks('python3-seccomp'), lacks('systemd-analyze')].includes(
  true,
);

it.skipIf(without)('the filter of calls is one: what a unit may not do fails there', async () => {
  await using stage = new DoctorStage();
  for (const unit of ['receive', 'scan'] as const) {
    const [program = '', ...args] = restricted(stage.make('folder', NOBODY), unit);
    // setpriority(2), of @resources, which anybody may do who is nicer by it.
    await using nice = startProgram(program, [...args, 'nice', '-n', '5', 'true']);
    expect((await nice.ended).stderr).toMatch(/niceness: Operation not permitted/);
    await using seen = startProgram(program, [...args, 'grep', '^Seccomp:', '/proc/self/status']);
    expect((await seen.ended).stdout).toMatch(/^Seccomp:\s*2$/m);
  }
});

it.skipIf([without, lacks('inotifywait')].includes(true))(
  'receive and scan do their work under the restrictions of their units, and doctor finds nothing wrong there',
  async () => {
    await using stage = new DoctorStage();
    const [root, store] = [stage.root(NOBODY), stage.make('store', NOBODY)];
    const listen = ['--listen', '127.0.0.1:0', '--json'];
    await using receiver = start(['receive', store, ...listen], { wrap: restricted(store, 'receive') });
    const url = await receiver.until('its address', () => /"url":"([^"]+)"/.exec(receiver.stdout)?.[1]);
    const to = ['scan', root, '--to', url, '--device', 'edge1'];
    await using doctor = start(['doctor', ...to], { wrap: restricted(root, 'scan') });
    expect(await doctor.ended).toMatchObject({ exitCode: 0 });
    await using scan = start([...to, '--once'], { wrap: restricted(root, 'scan') });
    expect(await scan.ended).toMatchObject({ exitCode: 0 });
    expect(existsSync(join(root, 'D1/finished.watch'))).toBe(true);
    expect(existsSync(join(store, 'edge1/D2/b'))).toBe(true);
  },
);

it.skipIf(without)('what a first start as root leaves is named, with what mends it', async () => {
  await using stage = new DoctorStage();
  const store = stage.make('store', NOBODY);
  mkdirSync(join(store, '.isync'), { mode: 0o700 });
  writeFileSync(join(store, '.isync/store-id'), '');
  await using doctor = start(['doctor', 'receive', store, '--listen', '127.0.0.1:0'], {
    wrap: restricted(store, 'receive'),
  });
  const { exitCode, stdout } = await doctor.ended;
  expect(exitCode).toBe(1);
  expect(stdout).toContain('must be allowed to write everywhere below the store');
  chownSync(join(store, '.isync'), NOBODY, NOBODY);
  await using again = start(['doctor', 'receive', store, '--listen', '127.0.0.1:0'], {
    wrap: restricted(store, 'receive'),
  });
  expect(await again.ended).toMatchObject({ exitCode: 0 });
});
