import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import type { Act, Task } from '../../src/events/action/action.ts';
import type { Outcome } from '../../src/events/action/outcome.ts';
import type { ObjectEvent } from '../../src/events/object-event.ts';
import { type Item, Lanes, type LanesOptions, type Result } from '../../src/events/work/lanes.ts';
import { IsyncError } from '../../src/model/isync-error.ts';

const UNCHANGED: Outcome = { outcome: 'unchanged' };
const REMOVED = { kind: 'removed', name: 'ObjectRemoved:Delete' } as const;
const DONE: Result = { kind: 'done', outcome: UNCHANGED };

describe('lanes', () => {
  it('look at different paths at a time, at most as many as they may', async () => {
    const looks = new Looks();
    const lanes = open(looks.act, { concurrency: 2 });
    for (const path of ['a', 'b', 'c']) void add(lanes, { path });
    await until(() => looks.underWay.length === 2);
    looks.end(0);
    await until(() => looks.begun.length === 3);
    looks.endAll();
    await lanes.idle();
    expect(looks.begun.map(({ event }) => event.key)).toEqual(['a', 'b', 'c']);
  });

  it.each([false, true])(
    'give a turn that an action has left to the next one (shared: %s)',
    async (areShared) => {
      const looks = new Looks();
      let left = 0;
      const lanes = open(looks.act, { concurrency: 1, areShared, onLeft: () => void left++ });
      const first = add(lanes, { path: 'a' });
      const second = add(lanes, { path: 'b' });
      await until(() => looks.begun.length === 1);
      looks.begun[0]?.leaveTurn?.();
      looks.begun[0]?.leaveTurn?.();
      await until(() => looks.begun.length === 2);
      expect([lanes.resting, left]).toEqual([1, 1]);
      // Its key is worked on by one at a time all the same.
      void add(lanes, { path: 'a' });
      void add(lanes, { path: 'c' });
      looks.end(1);
      expect(await second).toEqual(DONE);
      await until(() => looks.begun.length === 3);
      expect(looks.begun[2]?.event.key).toBe('c');
      looks.end(0);
      expect(await first).toEqual(DONE);
      expect(lanes.resting).toBe(0);
      looks.end(2);
      await until(() => looks.begun.length === 4);
      looks.endAll();
      await lanes.idle();
    },
  );

  it('look once for all records of a key that wait, and tell all of them what came of it', async () => {
    const looks = new Looks();
    const lanes = open(looks.act);
    const first = add(lanes, { path: 'a' });
    await until(() => looks.begun.length === 1);
    const others = [add(lanes, { path: 'a' }), add(lanes, { path: 'a' })];
    looks.end(0);
    await until(() => looks.begun.length === 2);
    looks.end(1);
    expect(await Promise.all([first, ...others])).toEqual([DONE, DONE, DONE]);
    expect(looks.begun).toHaveLength(2);
  });

  it('look for two keys of one path one after the other', async () => {
    const looks = new Looks();
    const lanes = open(looks.act);
    void add(lanes, { path: 'a', key: 'x/a' });
    void add(lanes, { path: 'a', key: 'y/a' });
    await until(() => looks.begun.length === 1);
    await turn();
    expect(looks.begun).toHaveLength(1);
    looks.end(0);
    await until(() => looks.begun.length === 2);
    looks.end(1);
    await lanes.idle();
    expect(looks.begun.map(({ event }) => event.key)).toEqual(['x/a', 'y/a']);
  });

  it('take the newest of several events, by sequencer on AWS and else by time', async () => {
    const looks = new Looks();
    const lanes = open(looks.act);
    for (const path of ['a', 'b']) void add(lanes, { path });
    await until(() => looks.begun.length === 2);
    void add(lanes, { path: 'a', event: { sequencer: '0055' } });
    void add(lanes, { path: 'a', event: { sequencer: '0054F', kind: 'removed' } });
    void add(lanes, { path: 'b', event: { dialect: 'ceph', sequencer: '9', timeMs: 2 } });
    void add(lanes, { path: 'b', event: { dialect: 'ceph', sequencer: '99', timeMs: 1, kind: 'removed' } });
    looks.endAll();
    await until(() => looks.begun.length === 4);
    looks.endAll();
    await lanes.idle();
    expect(looks.begun.slice(2).map(({ event }) => event.kind)).toEqual(['created', 'created']);
  });

  it('look again for a created event that finds nothing, and then for the last time', async () => {
    const seen: boolean[] = [];
    const lanes = open(
      async ({ isLastLook }) => {
        seen.push(isLastLook);
        return isLastLook ? { outcome: 'removed' } : { outcome: 'missing' };
      },
      { lookAgainMs: 5 },
    );
    expect(await add(lanes, { path: 'a' })).toEqual({ kind: 'done', outcome: { outcome: 'removed' } });
    expect(seen).toEqual([false, true]);
  });

  it('look at once where another event comes while they wait for that', async () => {
    let looks = 0;
    const lanes = open(
      async () => {
        looks += 1;
        return looks === 1 ? { outcome: 'missing' } : UNCHANGED;
      },
      { lookAgainMs: 1e9 },
    );
    const first = add(lanes, { path: 'a' });
    await until(() => looks === 1);
    await turn();
    await add(lanes, { path: 'a' });
    expect(await first).toEqual({ kind: 'done', outcome: UNCHANGED });
  });

  it('try again what fails for good, as often as they may', async () => {
    let tries = 0;
    const error = new IsyncError('STORE_REFUSED', 'no');
    const act: Act = async () => {
      tries += 1;
      throw error;
    };
    let retries = 0;
    const lanes = open(act, { onRetry: () => (retries += 1) });
    expect(await add(lanes, { path: 'a', attempts: 2 })).toEqual({ kind: 'failed', error });
    expect([tries, retries]).toEqual([2, 1]);
  });

  it('give temporary trouble back at once, unless the record stays here', async () => {
    let tries = 0;
    const act: Act = async () => {
      tries += 1;
      if (tries < 3) throw new IsyncError('UNREACHABLE', 'no');
      return UNCHANGED;
    };
    const lanes = open(act);
    expect(await add(lanes, { path: 'a' })).toMatchObject({ kind: 'failed', error: { code: 'UNREACHABLE' } });
    expect(tries).toBe(1);
    expect(await add(lanes, { path: 'a', staysMs: Infinity })).toEqual({ kind: 'done', outcome: UNCHANGED });
    expect(tries).toBe(3);
  });

  it('let another key of the path go first where one waits for trouble to pass', async () => {
    const looked: string[] = [];
    const lanes = open(async ({ event }) => {
      looked.push(event.key);
      if (event.key === 'x/a' && !looked.includes('y/a')) throw new IsyncError('BUSY', 'the path is in use');
      return UNCHANGED;
    });
    const first = add(lanes, { path: 'a', key: 'x/a', staysMs: Infinity });
    expect(await add(lanes, { path: 'a', key: 'y/a', staysMs: Infinity })).toEqual(DONE);
    expect(await first).toEqual(DONE);
    expect(looked).toEqual(['x/a', 'y/a', 'x/a']);
  });

  it('take each event in its turn where each of them counts, but for exact repeats', async () => {
    const looks = new Looks();
    const lanes = open(looks.act, { needs: 'each' });
    void add(lanes, { path: 'a' });
    await until(() => looks.begun.length === 1);
    const put = { sequencer: '01', timeMs: 1 };
    for (const event of [put, { kind: 'removed', sequencer: '02' } as const, put, { sequencer: '03' }])
      void add(lanes, { path: 'a', event });
    for (let ended = 0; ended < 4; ended++) {
      await until(() => looks.begun.length > ended);
      looks.end(ended);
    }
    await lanes.idle();
    expect(looks.begun.map(({ event }) => event.sequencer)).toEqual([undefined, '01', '02', '03']);
  });

  it('look twice for a created event that finds nothing, though the next one waits where each counts', async () => {
    const looks: string[] = [];
    const lanes = open(
      async ({ event, isLastLook }) => {
        looks.push(`${event.kind}${isLastLook ? ' for the last time' : ''}`);
        return looks.length < 20 && event.kind === 'created' && !isLastLook
          ? { outcome: 'missing' }
          : UNCHANGED;
      },
      { needs: 'each', lookAgainMs: 20 },
    );
    const began = performance.now();
    const both = [add(lanes, { path: 'a' }), add(lanes, { path: 'a', event: REMOVED })];
    expect(await Promise.all(both)).toEqual([DONE, DONE]);
    expect(looks).toEqual(['created', 'created for the last time', 'removed']);
    expect(performance.now() - began).toBeGreaterThanOrEqual(19);
  });

  it('let nothing overtake one that waits for trouble to pass, where each counts', async () => {
    const done: string[] = [];
    let failures = 0;
    const lanes = open(
      async ({ event }) => {
        if (event.kind === 'created' && failures++ === 0)
          throw new IsyncError('BUSY', 'later', { retryable: true });
        done.push(event.kind);
        return UNCHANGED;
      },
      { needs: 'each' },
    );
    const staysMs = Infinity;
    const both = [add(lanes, { path: 'a', staysMs }), add(lanes, { path: 'a', staysMs, event: REMOVED })];
    await Promise.all(both);
    expect(done).toEqual(['created', 'removed']);
  });

  it('let no more wait at a key once room was left at it, whatever a clock says that is behind its timers', async () => {
    vi.spyOn(performance, 'now').mockReturnValue(0);
    const looks = new Looks();
    const lanes = open(looks.act);
    void add(lanes, { path: 'a' });
    const [, behind] = [1, 2].map(() => add(lanes, { path: 'a', keepsTurn: true }));
    expect(lanes.isQuickAt('a')).toBe(true);
    expect(await behind).toEqual({ kind: 'behind' });
    expect(lanes.isQuickAt('a')).toBe(false);
    looks.endAll();
    await until(() => looks.underWay.length === 2);
    looks.endAll();
    await lanes.idle();
    expect(lanes.isQuickAt('a')).toBe(true);
  });

  it('begin nothing once they are to stop, and finish what is under way', async () => {
    const looks = new Looks();
    const stop = new AbortController();
    const lanes = open(looks.act, { concurrency: 1, signal: stop.signal });
    const first = add(lanes, { path: 'a' });
    await until(() => looks.begun.length === 1);
    const others = [add(lanes, { path: 'b' }), add(lanes, { path: 'a' })];
    stop.abort();
    // While the first one is still under way.
    expect(await Promise.all(others)).toEqual([{ kind: 'stopped' }, { kind: 'stopped' }]);
    looks.end(0);
    expect(await first).toEqual({ kind: 'done', outcome: UNCHANGED });
    await lanes.idle();
    expect(looks.begun).toHaveLength(1);
  });
});

/** Looks that end when they are told to. */
class Looks {
  readonly begun: Task[] = [];
  readonly underWay: (() => void)[] = [];

  readonly act: Act = async (task) => {
    this.begun.push(task);
    await new Promise<void>((resolve) => this.underWay.push(resolve));
    return UNCHANGED;
  };

  end(index: number): void {
    this.underWay[index]?.();
  }

  endAll(): void {
    for (const end of this.underWay) end();
  }
}

function open(act: Act, options: Partial<LanesOptions<unknown>> = {}): Lanes<unknown> {
  const never = new AbortController().signal;
  return new Lanes<unknown>({
    act,
    needs: 'newest',
    concurrency: 8,
    onRetry: () => {},
    signal: never,
    cut: never,
    ...options,
  });
}

interface Given {
  readonly path: string;
  readonly key?: string;
  readonly event?: Partial<ObjectEvent>;
  readonly staysMs?: number;
  readonly attempts?: number;
  readonly keepsTurn?: boolean;
}

function add(
  lanes: Lanes<unknown>,
  { path, key = path, event = {}, staysMs = 0, attempts = 1, keepsTurn }: Given,
): Promise<Result> {
  const task: Item<unknown>['task'] = {
    event: {
      kind: 'created',
      dialect: 'aws',
      name: 'ObjectCreated:Put',
      bucket: 'bucket',
      region: undefined,
      key,
      size: undefined,
      etag: undefined,
      versionId: undefined,
      sequencer: undefined,
      timeMs: undefined,
      ...event,
    },
    target: undefined,
    messageId: 'message',
    attempt: 1,
    body: () => '{}',
  };
  return new Promise((settle) => lanes.add({ task, place: path, attempts, staysMs, keepsTurn, settle }));
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}
