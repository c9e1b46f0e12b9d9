import { backlogTest } from '../suites/backlog.ts';

// The quick form of what test/long does in full size.
backlogTest(200, 10);
