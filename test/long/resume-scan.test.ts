import { resumeTest } from '../suites/resume.ts';

// Three times what may be sent twice: what began anew after a kill would be told.
resumeTest(120 * 1024 * 1024);
