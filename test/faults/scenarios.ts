/** Something that must happen in one particular way. Resolves to what is worth telling; rejects where it went wrong. */
export interface Scenario {
  readonly name: string;
  run(): Promise<string>;
}

export const SCENARIOS: readonly Scenario[] = [];
