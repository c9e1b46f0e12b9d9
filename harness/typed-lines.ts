import { readFileSync } from 'node:fs';

/** The lines of a document's blocks for a shell, from one text in it to another, as they are printed. */
export function linesBetween(path: string, from: string, to: string): string[] {
  const text = readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
  const part = text.slice(text.indexOf(from), text.indexOf(to));
  return [...part.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, block = '']) =>
    block
      .replaceAll(/\\\n\s*/g, '')
      .trimEnd()
      .split('\n'),
  );
}

/** For bash. Answers what a line asks on a terminal: each question ends with what is proposed, in brackets. Prints the rest. */
export const ANSWER = `
answer() {
  local line=$1 each; shift
  coproc TTY { script -qefc "$line" /dev/null; }
  exec 8<&"\${TTY[0]}" 9>&"\${TTY[1]}"
  for each; do read -r -d ']' -u 8; echo "$each" >&9; done
  tr -d '\\r' <&8
  exec 8<&- 9>&-
}`;

/** For bash. Starts a unit as systemd would, as far as it can be had without it: its user, its folders, its credentials, its command. */
export const START_UNIT = `
start_unit() {
  local unit=/etc/systemd/system/$1.service credentials=/etc/credentials-$1 user name file runtime
  user=$(sed -n 's/^User=//p' "$unit")
  mkdir "$credentials"
  while IFS=: read -r name file; do cp "$file" "$credentials/$name"; done < <(sed -n 's/^LoadCredential=//p' "$unit")
  chown -R "$user" "$credentials"
  runtime=/run/$(sed -n 's/^RuntimeDirectory=//p' "$unit")
  mkdir -p "$runtime"
  chown "$user" "$runtime"
  local command
  command=$(sed -n "s|%d|$credentials|g; s/^ExecStart=//p" "$unit")
  RUNTIME_DIRECTORY=$runtime setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups $command &
}`;
