import { IsyncError } from './isync-error.ts';

/** Longest name of a device, in characters. */
export const MAX_DEVICE_NAME_LENGTH = 64;
/** Begins with a letter or digit, so that no device can name a dot-folder: the store's own folders are such. */
const DEVICE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

export function isDeviceName(text: string): boolean {
  return text.length <= MAX_DEVICE_NAME_LENGTH && DEVICE_NAME.test(text);
}

/** @throws IsyncError BAD_PATH */
export function parseDeviceName(text: string): string {
  if (isDeviceName(text)) return text;
  throw new IsyncError('BAD_PATH', `"${text}" is no device name`, {
    path: text,
    hint: 'Use 1 to 64 letters, digits, "-", "_" and ".", beginning with a letter or digit.',
  });
}
