import { createIgnoreRule, type IgnoreRule } from './ignore-rule.ts';

/** An ignore rule whose patterns can change. */
export class IgnoreSetting {
  #rule: IgnoreRule;
  #changed: (() => void) | undefined;

  /** @throws IsyncError CONFIG_INVALID */
  constructor(patterns: readonly string[]) {
    this.#rule = createIgnoreRule(patterns);
  }

  /** Goes by the patterns of the moment. */
  readonly rule: IgnoreRule = (path) => this.#rule(path);

  /** @throws IsyncError CONFIG_INVALID; the patterns from before stay */
  set(patterns: readonly string[]): void {
    this.#rule = createIgnoreRule(patterns);
    this.#changed?.();
  }

  /** Has `listener` called after each change, in place of the one from before. */
  onChange(listener: () => void): void {
    this.#changed = listener;
  }
}
