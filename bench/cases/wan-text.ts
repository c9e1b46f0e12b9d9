import { join } from 'node:path';
import type { Bench, BenchCase } from '../bench.ts';
import { BEFORE, isync, isyncBefore, nodePair, PAIR } from '../competitors.ts';
import { contest, inCaseFolder, type Competitor } from '../contest.ts';
import { KIB, MIB, equalSizes, writeFiles } from '../data.ts';
import { atMost, MOST_AFTER } from '../goals.ts';
import { rsyncCompression, rsyncs } from '../rsync.ts';
import { sampleOf } from '../sample.ts';
import { Telemetry } from '../telemetry.ts';
import { noteOf } from './loopback.ts';
import { checkLink, LINK_TEXT, longLink, reckoned } from './wan.ts';

const SEED = 20_260_102;
const PLAIN = 'rsync -a';
const COMPRESSED = 'rsync -az';
const UNCOMPRESSED = 'isync without --compress';
const LIMIT = 'the link, reckoned on plain bytes';

/** What compresses, over a long link: `isync` is `isync scan --compress` here. */
export const WAN_TEXT_CASES: readonly BenchCase[] = [
  over('wan-text-small', '10,000 × 4 KiB of JSON lines', equalSizes(10_000, 4 * KIB), 1.2),
  over('wan-text-big', 'a log of 256 MiB', [256 * MIB], 1),
];

/** @param most of what `rsync -az` takes */
function over(name: string, what: string, sizes: readonly number[], most: number): BenchCase {
  return {
    name,
    about: `${what} over ${LINK_TEXT}, compressed`,
    run: (bench) => run(bench, name, `${what}, ${LINK_TEXT}, --compress`, sizes, most),
  };
}

async function run(
  bench: Bench,
  name: string,
  what: string,
  sizes: readonly number[],
  most: number,
): Promise<void> {
  await checkLink(bench);
  await inCaseFolder(bench.disk, name, async (folder) => {
    const telemetry = new Telemetry(SEED);
    const data = writeFiles(join(folder, 'root'), sizes, (length) => telemetry.read(length));
    const competitors: Record<string, Competitor> = {
      isync: await isync(folder, { link: longLink, args: ['--compress'] }),
      ...(await isyncBefore(bench, folder, { link: longLink, args: ['--compress'] })),
      [UNCOMPRESSED]: await isync(folder, { link: longLink }),
      ...(await rsyncs(bench, folder, [PLAIN, COMPRESSED], { link: longLink })),
      [PAIR]: nodePair(longLink),
    };
    const { isync: mine, ...others } = await contest(bench, folder, data, competitors);
    if (mine === undefined) return;
    const compression =
      others[COMPRESSED] === undefined ? '' : `; ${COMPRESSED}: ${(await rsyncCompression()) ?? 'zlib'}`;
    bench.report({
      case: name,
      measure: what,
      unit: 's',
      isync: mine,
      others: { ...others, [LIMIT]: sampleOf([reckoned(data.bytes)]) },
      goals: [
        ...atMost(most, COMPRESSED, mine, others[COMPRESSED]),
        ...atMost(MOST_AFTER, BEFORE, mine, others[BEFORE]),
      ],
      note: noteOf({ isync: mine, ...others }, compression),
    });
  });
}
