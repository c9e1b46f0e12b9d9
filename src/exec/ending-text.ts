import type { Ending } from './child.ts';

/** Goes on from the name of the program. */
export function endingText(ending: Ending): string {
  switch (ending.kind) {
    case 'not started':
      return `could not be started: ${ending.error.message}`;
    case 'signal':
      return `was ended by ${ending.signal}`;
    case 'exit':
      return `ended with ${ending.code}`;
  }
}
