import type { Fault, Stage } from './fault.ts';
import { available } from './machine.ts';
import type { Victim } from './victim.ts';

/** The system calls between which a file, its name, its mark and its seal come to be. */
const COMMIT_STEPS = {
  receiver: {
    'write,pwrite64,writev': 20,
    'fsync,fdatasync': 6,
    fsync: 3,
    'rename,renameat,renameat2': 20,
    fchmod: 20,
    utimensat: 20,
    'mkdir,mkdirat': 5,
    openat: 40,
    close: 40,
  },
  sender: {
    'write,writev': 20,
    fsync: 2,
    'rename,renameat,renameat2': 2,
    fchmod: 20,
    openat: 40,
    close: 40,
  },
} as const;
/** Longest time to wait for a process to reach its step, in ms. */
const STEP_MS = 6000;

/** Where a bucket is the store, what a receiver does beside computing is to send. */
const BUCKET_STEPS = { 'write,writev': 60, close: 40 } as const;
const both = ['sender', 'receiver'] as const;
type Side = (typeof both)[number];

export const PROCESS_FAULTS: readonly Fault[] = [
  ...both.map(kill),
  ...both.map(killAtStep),
  ...both.map(fewFiles),
  stop('sender', { burst: true }),
  stop('receiver', { link: true }),
  {
    name: 'no-watches',
    needs: {},
    impossible: available('unshare'),
    async strike({ sender, random, pause }) {
      await sender.reborn({ watches: random.int(0, 4) });
      await pause(random.int(500, 2500));
      await sender.reborn({});
    },
  },
  {
    name: 'helper-killed',
    needs: {},
    impossible: available('inotifywait'),
    async strike({ sender, random, pause }) {
      for (let times = random.int(1, 4); times > 0; times--) {
        for (const pid of random.some(sender.helpers, random.int(1, 2))) {
          try {
            process.kill(pid, 'SIGKILL');
          } catch {
            // It has ended between the two looks.
          }
        }
        await pause(random.int(20, 600));
      }
    },
  },
];

function victim(stage: Stage, side: Side): Victim {
  return side === 'receiver' && stage.receiver !== undefined ? stage.receiver : stage.sender;
}

function needsOf(side: Side): Fault['needs'] {
  return side === 'receiver' ? { link: true } : {};
}

function kill(side: Side): Fault {
  return {
    name: `kill-${side}`,
    needs: needsOf(side),
    async strike(stage) {
      for (let times = stage.random.int(1, 3); times > 0; times--) {
        await victim(stage, side).kill();
        await stage.pause(stage.random.int(0, 900));
      }
    },
  };
}

function killAtStep(side: Side): Fault {
  return {
    name: `kill-at-step-${side}`,
    needs: { ...needsOf(side), ...(side === 'receiver' ? { ownProcess: true } : {}) },
    impossible: available('strace that kills'),
    async strike(stage) {
      const { random } = stage;
      const it = victim(stage, side);
      // It dies at one of so many first occasions of one thread.
      const steps =
        side === 'receiver' && stage.target.store === 'bucket' ? BUCKET_STEPS : COMMIT_STEPS[side];
      const [syscalls, most] = random.pick<[string, number]>(Object.entries(steps));
      const deaths = it.ends.get(`killed at ${syscalls}`) ?? 0;
      // Before the first of these there are some hundred to load modules.
      const first = syscalls === 'openat' || syscalls === 'close' ? 200 : 0;
      await it.reborn({
        dieAt: { syscalls, when: first + random.int(1, most) },
      });
      for (let waited = 0; waited < STEP_MS; waited += 50) {
        await stage.pause(50);
        if ((it.ends.get(`killed at ${syscalls}`) ?? 0) > deaths) return;
      }
      // Not traced any longer than needed: it is slow.
      await it.kill();
    },
  };
}

function fewFiles(side: Side): Fault {
  return {
    name: `few-open-files-${side}`,
    needs: { ...needsOf(side), ...(side === 'receiver' ? { ownProcess: true } : {}) },
    impossible: available('prlimit'),
    async strike(stage) {
      await victim(stage, side).reborn({ openFiles: stage.random.int(24, 60) });
      await stage.pause(stage.random.int(500, 2500));
      await victim(stage, side).reborn({});
    },
  };
}

function stop(side: Side, needs: Fault['needs']): Fault {
  return {
    name: `stop-${side}`,
    needs,
    async strike(stage) {
      const it = victim(stage, side);
      it.signal('SIGSTOP');
      await stage.pause(stage.random.int(200, 3000));
      it.signal('SIGCONT');
    },
  };
}
