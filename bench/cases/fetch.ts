import { join } from 'node:path';
import { addToken, runCli, startReceiver, writeTokenFile } from '../../harness/cli.ts';
import type { Bench, BenchCase } from '../bench.ts';
import { timed, type Link } from '../competitors.ts';
import { contest, inCaseFolder, type Competitor } from '../contest.ts';
import { equalSizes, GIB, KIB, MIB, writeFiles } from '../data.ts';
import { atMost } from '../goals.ts';
import { everywhere, type Place } from '../places.ts';
import { cpuOf } from '../process.ts';
import { rsyncs } from '../rsync.ts';
import { sampleOf } from '../sample.ts';
import { noteOf } from './loopback.ts';
import { checkLink, LIMIT, LINK_TEXT, longLink, reckoned } from './wan.ts';

/** What is brought back, and what of rsync it is held against. */
interface Fetched {
  readonly name: string;
  readonly what: string;
  readonly sizes: () => number[];
  readonly rsync: string;
}

const DEVICE = 'edge1';
const FROM_FOLDER = 'isync fetch from the folder';

const SETS: readonly Fetched[] = [
  {
    name: 'fetch-small',
    what: '10,000 × 4 KiB',
    sizes: () => equalSizes(10_000, 4 * KIB),
    rsync: 'rsync -a --fsync',
  },
  {
    name: 'fetch-big',
    what: '1 × 4 GiB',
    sizes: () => [4 * GIB],
    rsync: 'rsync -a --whole-file --fsync',
  },
];

/** 256 MiB: twenty seconds of the link. */
const FAR = { name: 'fetch-wan', what: '1 × 256 MiB', bytes: 256 * MIB };

export const FETCH_CASES: readonly BenchCase[] = [
  ...SETS.flatMap((set) =>
    everywhere({
      name: set.name,
      about: `${set.what} back from a receiver over loopback, beside rsync from its daemon`,
      run: async (bench, place) => await run(bench, place, set),
    }),
  ),
  { name: FAR.name, about: `${FAR.what} back from a receiver over ${LINK_TEXT}`, run: runFar },
];

async function run(bench: Bench, place: Place, { name, what, sizes, rsync }: Fetched): Promise<void> {
  await inCaseFolder(place.folder, name, async (folder) => {
    const kept = join(folder, 'kept');
    const data = writeFiles(join(kept, DEVICE), sizes());
    const competitors: Record<string, Competitor> = {
      isync: await fromReceiver(folder, kept),
      [FROM_FOLDER]: fromFolder(kept),
      ...(await rsyncs(bench, folder, [rsync], { way: 'pull' })),
    };
    const { isync, ...others } = await contest(bench, folder, data, competitors);
    if (isync === undefined) return;
    bench.report({
      case: place.caseName(name),
      measure: `${what} back, ${place.name}`,
      unit: 's',
      isync,
      others,
      goals: atMost(1, rsync, isync, others[rsync]),
      note: noteOf({ isync, ...others }, '', 'fetch + server'),
    });
  });
}

async function runFar(bench: Bench): Promise<void> {
  await checkLink(bench);
  await inCaseFolder(bench.disk, FAR.name, async (folder) => {
    const kept = join(folder, 'kept');
    const data = writeFiles(join(kept, DEVICE), [FAR.bytes]);
    const results = await contest(bench, folder, data, { isync: await fromReceiver(folder, kept, longLink) });
    const { isync } = results;
    if (isync === undefined) return;
    const limit = sampleOf([reckoned(data.bytes)]);
    bench.report({
      case: FAR.name,
      measure: `${FAR.what} back, ${LINK_TEXT}`,
      unit: 's',
      isync,
      others: { [LIMIT]: limit },
      goals: atMost(1.1, LIMIT, isync, limit),
      note: noteOf({ isync }, '', 'fetch + server'),
    });
  });
}

/** From the start of `isync fetch` to its end, with a token that reads. */
async function fromReceiver(folder: string, kept: string, link?: Link): Promise<Competitor> {
  const tokens = join(folder, 'tokens.json');
  const token = await writeTokenFile(folder, DEVICE, await addToken(DEVICE, tokens, ['--read']));
  return {
    async run(_data, store) {
      await using receiver = await startReceiver(kept, { args: ['--tokens', tokens] });
      await using between = await link?.(receiver.port);
      const url = `ws://127.0.0.1:${between?.port ?? receiver.port}`;
      return await timed(
        () => cpuOf(receiver.process.pid),
        async () => await fetched([`${url}/${DEVICE}`, store, '--token-file', token], store),
      );
    },
  };
}

function fromFolder(kept: string): Competitor {
  return {
    run: async (_data, store) =>
      await timed(
        () => 0,
        async () => await fetched([join(kept, DEVICE), store], store),
      ),
  };
}

async function fetched(args: readonly string[], store: string) {
  const { exitCode, stderr } = await runCli(['fetch', ...args]);
  if (exitCode !== 0) throw new Error(`isync fetch ended with ${exitCode}: ${stderr.slice(-2000)}`);
  return { copy: store, same: true };
}
