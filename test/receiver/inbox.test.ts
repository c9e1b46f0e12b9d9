import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { encode } from '../../src/protocol/codec.ts';
import { pack } from '../../src/protocol/packing.ts';
import { Inbox } from '../../src/receiver/inbox.ts';

const PLAIN = encode({ type: 'cancel', id: 1, keep: false });
const KEEPALIVE = encode({ type: 'keepalive' });
const PACKED = pack(encode({ type: 'chunk', id: 1, offset: 0, content: Buffer.alloc(100) }));
const MIB = 1024 * 1024;

/** An inbox that is told that each packed message held so much. */
function inboxOf(onTake: (taken: readonly Buffer[]) => void = () => {}, held = MIB) {
  const taken: Buffer[] = [];
  const state = { full: false };
  const inbox: Inbox = new Inbox({
    take: (message) => {
      taken.push(message);
      if (message === PACKED) inbox.unpacked(held);
      onTake(taken);
    },
    full: () => state.full,
    changed: () => inbox.drain(),
  });
  return { inbox, taken, state };
}

describe('the inbox of a session', () => {
  it('hands plain messages on at once, also when it is full', () => {
    const { inbox, taken, state } = inboxOf();
    state.full = true;
    for (let n = 0; n < 10; n++) inbox.add(PLAIN);
    expect(taken).toHaveLength(10);
    expect(inbox.waiting).toBe(false);
  });

  it('keeps packed messages while it is full, and all behind them, in their order', () => {
    const { inbox, taken, state } = inboxOf();
    state.full = true;
    for (const message of [PLAIN, PACKED, PLAIN, PACKED]) inbox.add(message);
    expect(taken).toEqual([PLAIN]);
    expect(inbox.waiting).toBe(true);
    state.full = false;
    inbox.drain();
    expect(taken).toEqual([PLAIN, PACKED, PLAIN, PACKED]);
    expect(inbox.waiting).toBe(false);
  });

  it('keeps no sign of life that comes behind what waits', () => {
    const { inbox, taken, state } = inboxOf();
    state.full = true;
    for (const message of [KEEPALIVE, PACKED, KEEPALIVE, PLAIN, KEEPALIVE]) inbox.add(message);
    state.full = false;
    inbox.drain();
    expect(taken).toEqual([KEEPALIVE, PACKED, PLAIN]);
  });

  it('stops in the midst of what waits when that fills it', () => {
    const { inbox, taken, state } = inboxOf((all) => {
      state.full = all.length === 2;
    });
    state.full = true;
    for (let n = 0; n < 4; n++) inbox.add(PACKED);
    state.full = false;
    inbox.drain();
    expect(taken).toHaveLength(2);
  });

  it('unpacks a few MiB in a turn of the event loop, and the rest in later ones', async () => {
    const { inbox, taken } = inboxOf();
    for (let n = 0; n < 50; n++) inbox.add(PACKED);
    const inOneTurn = taken.length;
    expect(inOneTurn).toBeGreaterThan(0);
    expect(inOneTurn).toBeLessThan(10);
    await nextTurn();
    expect(taken.length).toBe(2 * inOneTurn);
    while (inbox.waiting) await nextTurn();
    expect(taken).toHaveLength(50);
  });

  it('unpacks no more than some hundred messages in a turn, however small', async () => {
    const { inbox, taken } = inboxOf(undefined, 1);
    for (let n = 0; n < 1000; n++) inbox.add(PACKED);
    expect(taken.length).toBeGreaterThan(50);
    expect(taken.length).toBeLessThan(300);
    while (inbox.waiting) await nextTurn();
    expect(taken).toHaveLength(1000);
  });

  it('takes nothing more once it is closed, also by what it takes', async () => {
    const { inbox, taken, state } = inboxOf(() => inbox.close());
    state.full = true;
    for (let n = 0; n < 3; n++) inbox.add(PACKED);
    state.full = false;
    inbox.drain();
    inbox.add(PLAIN);
    await nextTurn();
    expect(taken).toHaveLength(1);
    expect(inbox.waiting).toBe(false);
  });
});
