import { burstTest } from '../suites/watch-burst.ts';

burstTest('chokidar', 5000);
