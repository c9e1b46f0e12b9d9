import { eventQueueSuite } from '../suites/event-queue.ts';
import { embeddedSetup } from '../events/queue-embedded-setup.ts';

eventQueueSuite('the embedded queue', embeddedSetup);
