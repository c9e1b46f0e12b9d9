/** What the command line asks for; flags are by option name, checked by src/config later. */
export type Invocation =
  | { readonly command: 'scan' | 'receive' | 'verify'; readonly flags: Flags }
  | {
      readonly command: 'token';
      readonly action: 'add' | 'revoke';
      readonly device: string;
      readonly flags: Flags;
    }
  | { readonly command: 'token'; readonly action: 'list'; readonly flags: Flags };

export type Flags = Readonly<Record<string, unknown>>;

/** Told once the command line is known to be well-formed. */
export type Found = (invocation: Invocation) => void;
