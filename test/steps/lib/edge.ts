import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  addToken,
  startReceiver,
  startScan,
  stopScan,
  writeTokenFile,
  type Scanned,
} from '../../../harness/cli.ts';
import type { CliProcess } from '../../../harness/process.ts';
import { isSealed, writeTree, type Tree } from '../../../harness/data-tree.ts';
import { checkSealed } from './checks.ts';
import type { Check, Place, Step } from './step.ts';

const DIRECTORIES = ['DC1', 'DC2', 'DC3'];
/** What isync ends with after SIGINT; see the table of exit codes. */
const INTERRUPTED = 130;

/** One edge device with a daemon; its parser fills one directory after the other. */
export const edx1: Step = {
  about: 'one device: three directories made one after another while isync scan runs',
  async setup(place) {
    await mkdir(place.root('edge1'), { recursive: true });
  },
  async execute(place, check) {
    await runDevices(place, check, ['edge1']);
  },
  async verify(place, check) {
    await checkDevice(place, check, 'edge1');
    await checkOnly(place, check, ['edge1']);
  },
};

/** Two devices at one receiver, with a token each. */
export const edx2: Step = {
  about: 'two devices at once: each lands in its own folder, and only there',
  async setup(place) {
    for (const device of ['edge1', 'edge2']) await mkdir(place.root(device), { recursive: true });
  },
  async execute(place, check) {
    await runDevices(place, check, ['edge1', 'edge2']);
  },
  async verify(place, check) {
    for (const device of ['edge1', 'edge2']) await checkDevice(place, check, device);
    await checkOnly(place, check, ['edge1', 'edge2']);
  },
};

/** Paths are the same on every device, content is not. */
function filesOf(device: string, directory: string): Tree {
  return {
    [`${directory}/first.txt`]: `${device} wrote this into ${directory}\n`,
    [`${directory}/empty`]: '',
    [`${directory}/sub/small.bin`]: 3_000 + device.length,
    [`${directory}/sub/deep/large.bin`]: 1_500_000,
    [`${directory}/only-${device}.txt`]: device,
  };
}

async function runDevices(place: Place, check: Check, devices: readonly string[]): Promise<void> {
  const tokens = new Map<string, string>();
  for (const device of devices)
    tokens.set(device, await writeTokenFile(place.folder, device, await addToken(device, place.tokens)));
  await using receiver = await startReceiver(place.store, { args: ['--tokens', place.tokens] });
  const runs = [...tokens].map(async ([device, tokenFile]) => {
    await using daemon = startScan(place.root(device), {
      to: receiver.url,
      device,
      args: ['--token-file', tokenFile],
    });
    for (const directory of DIRECTORIES) await fillAndClose(place, check, { device, directory, daemon });
    const scanned = await stopScan(daemon);
    await place.remember(device, scanned);
    check(
      `${device}: isync scan ends with exit code ${INTERRUPTED} after Ctrl-C`,
      scanned.exitCode === INTERRUPTED,
      scanned.stderr,
    );
  });
  await Promise.all(runs);
}

async function fillAndClose(
  place: Place,
  check: Check,
  run: { readonly device: string; readonly directory: string; readonly daemon: CliProcess },
): Promise<void> {
  const { device, directory, daemon } = run;
  const root = place.root(device);
  await writeTree(root, filesOf(device, directory));
  await writeTree(root, { [`${directory}/finished.parse`]: '' });
  await daemon.until(`${directory} of ${device} to be sealed`, () => isSealed(root, directory));
  check(`${device}: ${directory} was sealed while the daemon ran`, true);
}

async function checkDevice(place: Place, check: Check, device: string): Promise<void> {
  const { summary } = await place.recall<Scanned>(device);
  const files = DIRECTORIES.flatMap((directory) => Object.keys(filesOf(device, directory))).length;
  check(`${device}: the summary counts ${files} files`, summary.files === files, `${summary.files}`);
  check(`${device}: no problem`, summary.problemCount === 0, JSON.stringify(summary.problems));
  for (const directory of DIRECTORIES) await checkSealed(place, check, { device, directory, closed: true });
}

/** The folders that people see in the store: those of the devices, with their own directories. */
async function checkOnly(place: Place, check: Check, devices: readonly string[]): Promise<void> {
  const seen = (await readdir(place.store)).filter((name) => !name.startsWith('.')).sort();
  check(`the store holds ${devices.join(' and ')} only`, seen.join() === devices.join(), seen.join());
  for (const device of devices) {
    const directories = (await readdir(join(place.store, device))).sort();
    check(
      `${device}: its own directories only`,
      directories.join() === DIRECTORIES.join(),
      directories.join(),
    );
  }
}
