import { MAX_DEVICE_NAME_LENGTH } from '../model/device-name.ts';

/** Reduces the host name to a legal device name; empty where nothing legal is left. */
export function defaultDevice(hostName: string): string {
  return hostName
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, MAX_DEVICE_NAME_LENGTH);
}
