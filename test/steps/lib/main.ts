import { runStep } from './run-step.ts';

const [name = '', ...words] = process.argv.slice(2);
process.exitCode = await runStep(name, words, { print: console.log, complain: console.error });
