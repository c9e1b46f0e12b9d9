import { IsyncError } from './isync-error.ts';

/** Begins with a letter or digit, so that no device can name a dot-folder: the store's own folders are such. */
const DEVICE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** @throws IsyncError BAD_PATH */
export function parseDeviceName(text: string): string {
  if (DEVICE_NAME.test(text)) return text;
  throw new IsyncError('BAD_PATH', `"${text}" is no device name`, {
    path: text,
    hint: 'Use 1 to 64 letters, digits, "-", "_" and ".", beginning with a letter or digit.',
  });
}
