import { lstatSync, mkdirSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { edx1, edx2 } from './edge.ts';
import { fsyncStep } from './fsync.ts';
import { scanStep } from './scan-states.ts';
import { Place, type Check, type Step } from './step.ts';

const STEPS: Readonly<Record<string, Step>> = {
  scan_p0w0: scanStep({ parsed: false, watched: false }),
  scan_p0w1: scanStep({ parsed: false, watched: true }),
  scan_p1w0: scanStep({ parsed: true, watched: false }),
  scan_p1w1: scanStep({ parsed: true, watched: true }),
  fsync_x0: fsyncStep({ marked: false }),
  fsync_x1: fsyncStep({ marked: true }),
  fsync_x1_trust: fsyncStep({ marked: true, marks: 'trust' }),
  edx1,
  edx2,
};
const PHASES = ['setup', 'execute', 'verify', 'cleanup'] as const;
type Phase = (typeof PHASES)[number];

export interface StepRun {
  /** Where steps keep their folders between calls; default: see {@link stepsFolder}. */
  readonly folder?: string;
  /** Takes each line of what is told. */
  readonly print: (line: string) => void;
  /** Takes what is wrong with the call. */
  readonly complain: (line: string) => void;
}

/** Runs the step `name` as its script does, with the script's arguments; resolves to the exit code. */
export async function runStep(name: string, words: readonly string[], run: StepRun): Promise<number> {
  const step = STEPS[name];
  const usage = (fault: string): number => {
    run.complain(`${name === '' ? 'step' : name}: ${fault}`);
    return 2;
  };
  if (step === undefined) return usage(`no step "${name}"; there are ${Object.keys(STEPS).join(', ')}`);
  const [argument, ...rest] = words;
  if (rest.length > 0) return usage(`one argument at most`);
  const call: Call = { name, step, folder: join(run.folder ?? stepsFolder(), name), print: run.print };
  if (argument === undefined) return await runAll(call);
  if (argument === 'help') return help(call);
  const phase = PHASES.find((phase) => phase === argument);
  if (phase === undefined) return usage(`"${argument}" is none of ${PHASES.join(', ')}, help`);
  return (await runPhase(call, phase)) ? 0 : 1;
}

interface Call {
  readonly name: string;
  readonly step: Step;
  readonly folder: string;
  readonly print: (line: string) => void;
}

/** Each phase in its order; what is left undone by a failure is still cleaned up. */
async function runAll(call: Call): Promise<number> {
  let passed = true;
  for (const phase of ['setup', 'execute', 'verify'] as const)
    passed = passed && (await runPhase(call, phase));
  return (await runPhase(call, 'cleanup')) && passed ? 0 : 1;
}

async function runPhase(call: Call, phase: Phase): Promise<boolean> {
  let failed = false;
  const check: Check = (what, passed, detail) => {
    failed ||= !passed;
    const found = passed || detail === undefined || detail === '' ? '' : ` (${detail})`;
    call.print(`${passed ? 'Pass' : 'Failed'} ${call.name}: ${what}${found}`);
  };
  try {
    await perform(call, phase, check);
  } catch (thrown) {
    check(`${phase} could be done`, false, thrown instanceof Error ? thrown.message : String(thrown));
  }
  return !failed;
}

async function perform({ name, step, folder }: Call, phase: Phase, check: Check): Promise<void> {
  const place = new Place(folder);
  switch (phase) {
    case 'setup':
      await place.create();
      await step.setup(place);
      return check('the folders are laid out', true);
    case 'execute':
    case 'verify':
      if (!(await exists(place.folder))) throw new Error(`nothing is set up; run "${name} setup" first`);
      return await step[phase](place, check);
    case 'cleanup':
      await place.remove();
      return check('nothing is left behind', !(await exists(place.folder)));
  }
}

/** Where steps keep their folders between calls: nobody else's, also in a folder that all can write to. */
function stepsFolder(): string {
  const chosen = process.env['ISYNC_STEPS_DIR'];
  if (chosen !== undefined && chosen !== '') return chosen;
  const uid = process.getuid?.();
  const folder = join(tmpdir(), `isync-steps-${uid ?? 'user'}`);
  mkdirSync(folder, { mode: 0o700, recursive: true });
  const stat = lstatSync(folder);
  if (!stat.isDirectory() || (uid !== undefined && stat.uid !== uid))
    throw new Error(`${folder} belongs to somebody else`);
  return folder;
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

function help({ name, step, folder, print }: Call): number {
  print(`${name}: ${step.about}

Usage: ${name} [setup | execute | verify | cleanup | help]

  setup     lay out the folders, in ${folder} (elsewhere with ISYNC_STEPS_DIR)
  execute   run isync on them
  verify    look at what stands on the disk now
  cleanup   remove the folders

Without an argument: all four in this order. Prints "Pass" or "Failed" for each check; exit code 0 when all have passed.`);
  return 0;
}
