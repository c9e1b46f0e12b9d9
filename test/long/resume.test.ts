import { resumeTest } from '../suites/resume.ts';

/** Size of the file, in bytes; set it to 10 GiB for a run by hand. */
const BIG_BYTES = Number(process.env['ISYNC_TEST_BIG_BYTES'] ?? 1024 ** 3);

resumeTest(BIG_BYTES);
