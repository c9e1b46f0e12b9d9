import { backlogTest } from '../suites/backlog.ts';

backlogTest(1, 100_000);
backlogTest(2000, 10);
