import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Wire } from '../../src/sender/ws/wire.ts';

const DEADLINES = { keepaliveMs: 8000, silenceMs: 25_000 };
const KIB = 1024;

describe('the wire', () => {
  /** Takes what was sent first, as the kernel would. */
  let taken: (() => void)[];
  let sent: number[];
  let raw: { bytesRead: number };
  const onSilence = vi.fn<() => void>();
  let wire: Wire;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    onSilence.mockClear();
    taken = [];
    sent = [];
    raw = { bytesRead: 0 };
    const socket = {
      send: (bytes: Buffer, callback: () => void) => {
        sent.push(bytes.length);
        taken.push(callback);
      },
    };
    wire = new Wire(socket as unknown as WebSocket, raw as Socket, DEADLINES, onSilence);
  });

  afterEach(() => {
    wire.stop();
    vi.useRealTimers();
  });

  /** Sends while there is room, on a link that takes a message in `ms`; returns how much was in the socket. */
  function fill(ms: number): number {
    let bytes = 0;
    while (wire.hasRoom) {
      wire.send(Buffer.alloc(wire.messageBytes));
      bytes += sent.at(-1) ?? 0;
    }
    for (const take of taken.splice(0)) {
      vi.advanceTimersByTime(ms);
      take();
    }
    return bytes;
  }

  it('fills a fast link, and keeps little in front of a thin one', () => {
    for (let i = 0; i < 10; i++) fill(1);
    expect(fill(1)).toBe(1024 * KIB);
    for (let i = 0; i < 10; i++) fill(500);
    expect(fill(500)).toBe(64 * KIB);
    expect(wire.messageBytes).toBe(16 * KIB);
    for (let i = 0; i < 10; i++) fill(1);
    expect(fill(1)).toBe(1024 * KIB);
  });

  it('tells when there is room again', () => {
    const onRoom = vi.fn<() => void>();
    wire.onRoom = onRoom;
    fill(1);
    expect(onRoom).toHaveBeenCalledTimes(1);
  });

  it('says KEEPALIVE when nothing was sent for that long, and not otherwise', () => {
    vi.advanceTimersByTime(8000);
    expect(sent).toEqual([1]);
    for (let i = 0; i < 10; i++) {
      wire.send(Buffer.alloc(5));
      vi.advanceTimersByTime(3000);
    }
    expect(sent.filter((length) => length === 1)).toHaveLength(1);
  });

  it('says no KEEPALIVE behind bytes that wait', () => {
    wire.send(Buffer.alloc(5));
    vi.advanceTimersByTime(60_000);
    expect(sent).toEqual([5]);
  });

  it('counts bytes, not messages, as life', () => {
    for (let i = 0; i < 20; i++) {
      raw.bytesRead++;
      vi.advanceTimersByTime(20_000);
    }
    expect(onSilence).not.toHaveBeenCalled();
    vi.advanceTimersByTime(30_000);
    expect(onSilence).toHaveBeenCalled();
  });
});
