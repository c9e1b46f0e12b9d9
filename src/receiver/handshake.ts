import { parseDeviceName } from '../model/device-name.ts';
import { CLOSE, type CloseCode } from '../protocol/close-codes.ts';
import { PROTOCOL_VERSION } from '../protocol/limits.ts';
import type { Hello, SessionLimits, Welcome } from '../protocol/messages.ts';
import { ZSTD } from '../protocol/packing.ts';
import { protocolViolation } from './protocol-violation.ts';

/** The device that a HELLO names. @throws IsyncError PROTOCOL */
export function deviceOf(hello: Hello): string {
  try {
    return parseDeviceName(hello.device);
  } catch {
    // Its message quotes the name; a close frame has no room for that.
    throw protocolViolation('"device" is no device name');
  }
}

/**
 * How the session is closed in place of WELCOME; undefined where the sender is welcome.
 * @param objection why the peer may not speak for the device
 */
export function refusalOf(
  { version }: Hello,
  objection: string | undefined,
): { readonly code: CloseCode; readonly reason: string } | undefined {
  if (objection !== undefined) return { code: CLOSE.DEVICE_REFUSED, reason: objection };
  if (version < PROTOCOL_VERSION)
    return { code: CLOSE.VERSION, reason: `the receiver speaks version ${PROTOCOL_VERSION}` };
  return undefined;
}

export interface WelcomeOptions {
  readonly session: string;
  readonly device: string;
  readonly software: string;
  readonly limits: SessionLimits;
  readonly reads: boolean;
  readonly store: Welcome['store'];
}

export function welcome({ session, device, software, limits, reads, store }: WelcomeOptions): Welcome {
  const { filesInFlight, openUploads, requests } = limits;
  return {
    type: 'welcome',
    version: PROTOCOL_VERSION,
    session,
    device,
    software,
    limits: { filesInFlight, openUploads, requests },
    compression: [ZSTD],
    reports: true,
    reads,
    sealsBehind: true,
    store,
  };
}
