/** Longest device name; see parseDeviceName. */
const MAX_LENGTH = 64;

/** Reduces the host name to a legal device name; empty where nothing legal is left. */
export function defaultDevice(hostName: string): string {
  return hostName
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, MAX_LENGTH);
}
