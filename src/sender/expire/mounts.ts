import { readFileSync } from 'node:fs';

/** Place of a mount point in a line of mountinfo: https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html */
const MOUNT_POINT = 4;

/** A mount point at or below an absolute, real path; undefined where there is none, or nothing tells of them. */
export function mountPointIn(path: string): string | undefined {
  return mountPoints().find((point) => point === path || point.startsWith(`${path}/`));
}

function mountPoints(): string[] {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => unescaped(line.split(' ')[MOUNT_POINT] ?? ''));
  } catch {
    // No Linux: there renaming what holds a mount point fails.
    return [];
  }
}

function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
