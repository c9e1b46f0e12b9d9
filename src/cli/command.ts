import type { Options } from 'yargs';
import type { CommandSettings } from '../config/sources.ts';
import type { ExitCode } from './exit-codes.ts';
import type { HeapPlan } from './heap-growth.ts';
import type { Output } from './output.ts';

/** Options of a command by name, as yargs takes them; the schemas of src/config check their values. */
export type OptionTable = Readonly<Record<string, Options>>;

/**
 * A command: everything that help, completion, the command line and the names of settings need. It imports nothing that
 * only the running command needs; `load` does that.
 */
export interface Command {
  /** Also the name of its section in a config file. In a group, the section is that of the group, unless `section` says another. */
  readonly name: string;
  /** Of another command, whose settings it has. */
  readonly section?: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** `$0` stands for "isync". */
  readonly usage: string;
  readonly examples: readonly (readonly [line: string, meaning: string])[];
  /** In their order on the command line. */
  readonly arguments: readonly Argument[];
  readonly options: OptionTable;
  /** Its settings may be a config file of their own, without a section. */
  readonly ownFile?: true;
  /** Settings that an option of another name gives, and nothing else: see CommandSettings. */
  readonly byOption?: Readonly<Record<string, string>>;
  /** Settings whose variable in the environment has another name than `ISYNC_…`. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Settings of its section that are no option of it: maps, which only a file can give, and those of commands below it. */
  readonly notOptions?: readonly string[];
  /** Settings that are never an option, because an argument shows in ps. */
  readonly secrets?: readonly string[];
  /** Whether the help ends with how sizes, durations and rates are written. */
  readonly hasUnits: boolean;
  /** By what it does with the content of files. V8 is told before the command is loaded. */
  readonly heapPlan: HeapPlan;
  readonly load: () => Promise<Run>;
  /** Commands below its name, such as `isync pull parked list`; their section is its own. */
  readonly below?: readonly (Command | CommandGroup)[];
}

/** Commands under one name, such as `isync token add`, with one section in a config file. */
export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  readonly usage: string;
  readonly examples: readonly (readonly [line: string, meaning: string])[];
  readonly members: readonly Command[];
}

export interface Argument {
  readonly name: string;
  readonly describe: string;
  /**
   * A setting may come from the environment or a config file instead. A word must be given, an optional one need not; of `words` at least
   * one, of `any` none; either is the last argument.
   */
  readonly kind: 'setting' | 'word' | 'optional' | 'words' | 'any';
}

/** What the command line asks for. */
export interface Invocation {
  readonly command: Command;
  readonly settings: CommandSettings;
  /** By option name, and arguments that are settings; checked by src/config later. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** Arguments that are no settings; an optional one that was not given is not there. */
  readonly words: Readonly<Record<string, string>>;
  /** Those of the argument `words` or `any`; empty where the command has none. */
  readonly list: readonly string[];
}

/** Runs a command to its end. */
export type Run = (call: Call) => Promise<ExitCode>;

export interface Call extends Omit<Invocation, 'command'> {
  readonly output: Output;
}

/** Returns what stands below an entry: the members of a group, what is below a command. */
export function below(entry: Command | CommandGroup): readonly (Command | CommandGroup)[] {
  if (isGroup(entry)) return entry.members;
  return entry.below ?? [];
}

export function isGroup(entry: Command | CommandGroup): entry is CommandGroup {
  return 'members' in entry;
}
