import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { stopCeph } from './ceph.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the run's S3 server is started by the first suite that needs one. */
    readonly s3Folder: string;
    /** The process whose end is the run's end. */
    readonly s3Owner: number;
  }
}

/** Ends the S3 server of a run, if it had one. A run that is killed ends it too: the server watches its owner. */
export default function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'isync-s3-'));
  project.provide('s3Folder', folder);
  project.provide('s3Owner', process.pid);
  return () => {
    stopCeph(folder);
    rmSync(folder, { recursive: true, force: true });
  };
}
