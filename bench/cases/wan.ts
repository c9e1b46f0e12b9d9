import { join } from 'node:path';
import type { Bench, BenchCase, Sample } from '../bench.ts';
import {
  BEFORE,
  isync,
  isyncBefore,
  nodePair,
  PAIR,
  rawSocket,
  stopAndWait,
  type Link,
} from '../competitors.ts';
import { contest, inCaseFolder, type Competitor } from '../contest.ts';
import { KIB, MIB, equalSizes, writeFiles } from '../data.ts';
import { atLeast, atMost, MOST_AFTER } from '../goals.ts';
import { numberFrom, startListening } from '../process.ts';
import { rsyncs } from '../rsync.ts';
import { sampleOf } from '../sample.ts';
import { noteOf } from './loopback.ts';

const ROUND_TRIP_MS = 100;
/** 100 Mbit/s. */
const BYTES_PER_SECOND = 12_500_000;
export const LINK_TEXT = `${ROUND_TRIP_MS} ms round trip, 100 Mbit/s`;
/** TCP, the WebSocket's upgrade, HELLO and WELCOME; then the last byte's way there and its answer's way back. */
const ROUND_TRIPS = 4;
/** How far the link may be from what it is said to be before nothing is measured on it. */
const MAX_DEVIATION = 0.05;
/** Round trips tried: what the machine adds is not the link's, so the shortest one counts. */
const PINGS = 5;
/** Files the stop-and-wait sender really sends: each takes a round trip, so they tell of all others. */
const STOP_AND_WAIT_FILES = 100;

const PLAIN = 'rsync -a';
export const LIMIT = 'the link, reckoned';
const RAW_SOCKET = 'a plain socket';
const STOP_AND_WAIT = `stop and wait, reckoned from ${STOP_AND_WAIT_FILES} files`;

export const WAN_CASES: readonly BenchCase[] = [
  over('wan-small', '10,000 × 4 KiB', equalSizes(10_000, 4 * KIB)),
  over('wan-big', '1 × 256 MiB', [256 * MIB]),
];

export const longLink: Link = async (port) =>
  await startListening('link', [port, ROUND_TRIP_MS, BYTES_PER_SECOND]);

function over(name: string, what: string, sizes: readonly number[]): BenchCase {
  return {
    name,
    about: `${what} over ${LINK_TEXT}`,
    run: (bench) => run(bench, name, `${what}, ${LINK_TEXT}`, sizes),
  };
}

async function run(bench: Bench, name: string, what: string, sizes: readonly number[]): Promise<void> {
  await checkLink(bench);
  await inCaseFolder(bench.disk, name, async (folder) => {
    const data = writeFiles(join(folder, 'root'), sizes);
    const waits = sizes.length >= STOP_AND_WAIT_FILES;
    const competitors: Record<string, Competitor> = {
      isync: await isync(folder, { link: longLink }),
      ...(await isyncBefore(bench, folder, { link: longLink })),
      ...(await rsyncs(bench, folder, [PLAIN], { link: longLink })),
      [PAIR]: nodePair(longLink),
      ...(waits ? { [STOP_AND_WAIT]: stopAndWait(STOP_AND_WAIT_FILES, longLink) } : {}),
      [RAW_SOCKET]: rawSocket(longLink),
    };
    const results = await contest(bench, folder, data, competitors);
    const { isync: mine, ...others } = results as typeof results & { isync: Sample };
    const limit = sampleOf([reckoned(data.bytes)]);
    const waiting = others[STOP_AND_WAIT];
    bench.report({
      case: name,
      measure: what,
      unit: 's',
      isync: mine,
      others: { ...others, [LIMIT]: limit },
      goals: [
        ...(waits ? atMost(1, PLAIN, mine, others[PLAIN]) : []),
        ...atMost(waits ? 1.12 : 1.1, LIMIT, mine, limit),
        ...atMost(1.1, RAW_SOCKET, mine, others[RAW_SOCKET]),
        ...atMost(MOST_AFTER, BEFORE, mine, others[BEFORE]),
        ...(waiting === undefined ? [] : [atLeast(50, 'stop and wait', mine, waiting)]),
      ],
      note: noteOf(results, ''),
    });
  });
}

/** The least that `bytes` take over the link, in seconds. */
export function reckoned(bytes: number): number {
  return bytes / BYTES_PER_SECOND + (ROUND_TRIPS * ROUND_TRIP_MS) / 1000;
}

/** Shows with a plain socket that the link is as slow and as far as it should be; rejects where it isn't. */
export async function checkLink(bench: Bench): Promise<void> {
  const bytes = 25_000_000;
  await using receiver = await startListening('raw-socket', ['receive']);
  await using between = await longLink(receiver.port);
  const pings: number[] = [];
  // Two round trips each: the handshake's, and that of a header and its answer. The first ones find all code cold.
  for (let count = 0; count < PINGS; count++)
    pings.push((1000 * (await numberFrom('raw-socket', ['send', between.port, 0]))) / 2);
  const roundTripMs = Math.min(...pings);
  const seconds = await numberFrom('raw-socket', ['send', between.port, bytes]);
  const rate = bytes / (seconds - (2 * roundTripMs) / 1000);
  const megabits = (rate * 8) / 1e6;
  bench.say(`  the link: ${roundTripMs.toFixed(1)} ms round trip, ${megabits.toFixed(1)} Mbit/s`);
  const deviations = [roundTripMs / ROUND_TRIP_MS, rate / BYTES_PER_SECOND].map((ratio) =>
    Math.abs(ratio - 1),
  );
  if (Math.max(...deviations) > MAX_DEVIATION)
    throw new Error('this machine is too busy: the link is not what it should be');
}
