import type { DeviceReport } from '../../protocol/report.ts';

/** What a session tells when it is welcome. */
export interface SessionStart {
  readonly device: string;
  readonly mode: 'write' | 'read';
  /** Of the peer. */
  readonly address: string;
  /** As the device says; any text. */
  readonly software: string;
}

/** Told what a receiver sees of its devices. No call throws or takes long. */
export interface DeviceWatch {
  opened(start: SessionStart): SessionWatch;
  /**
   * A device was not let in, or its session ended, because of its token; undefined where it said none that is known.
   */
  refused(device: string | undefined, address: string, reason: string): void;
  /** The store has no room for files of the device; undefined: it has kept one again. */
  full(device: string, reason: string | undefined): void;
}

/** Told of one session. */
export interface SessionWatch {
  /** A file is durable. */
  kept(path: string, bytes: number): void;
  reported(report: DeviceReport): void;
  /** A data directory is sealed: all of it is durable, the parser's marker among it. A sender that got no answer seals again. */
  sealed(directory: string): void;
  /** Called once, last. */
  ended(): void;
}

/** Of a session that tells nothing of its device. */
export const UNWATCHED: SessionWatch = {
  kept: () => undefined,
  reported: () => undefined,
  sealed: () => undefined,
  ended: () => undefined,
};
