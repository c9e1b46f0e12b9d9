import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CLI_NODE } from '../../harness/cli.ts';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { inMachine, makeCertificate, ownMachineFault } from '../../harness/own-machine.ts';
import { type S3Server, withS3Server } from '../../harness/s3-server.ts';
import { lacks, lacksRoot, mayNot } from '../../harness/tools.ts';
import { linesOf, MACHINES, type Step } from './documented-runs.ts';

const TOOLS = ['openssl', 'python3', 'inotifywait', 'curl', 'jq', 'ip'] as const;
const leftOut = [
  lacksRoot(),
  ...TOOLS.map((tool) => lacks(tool)),
  mayNot('make a machine of namespaces', ownMachineFault()),
].includes(true);

/** For bash: `begin LINE CONDITION FILE` runs a line in the background until the condition holds, `finish [CODE]` ends the last such line, with 0, 130 or that code. */
const BACKGROUND = `
running=()
begin() {
  bash -c "$1" > "$3" 2>> logs & running+=($!)
  until eval "$2"; do
    kill -0 "\${running[-1]}" 2>/dev/null || { echo "ended by itself: $1"; tail -n 5 logs "$3"; exit 1; }
    sleep 0.1
  done
}
finish() {
  local code=0
  kill "\${running[-1]}"; wait "\${running[-1]}" || code=$?
  case $code in 0|130|"\${1:-0}") ;; *) echo "exit code $code"; tail -n 5 logs; exit 1 ;; esac
  unset 'running[-1]'
}
`;

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function bashOf(step: Step): string {
  if ('sh' in step) return step.sh;
  const {
    line,
    fill: [printed, typed] = ['', ''],
    until,
    beside = [],
    stopped = '',
    into = 'printed',
  } = step;
  const whole = line.replace(printed, typed);
  const tell = `echo ${quoted(`typed: ${line}`)}`;
  if (until === undefined)
    return `${tell}; ${whole} > ${into} 2> said || { echo "exit code $?"; cat said ${into}; exit 1; }`;
  const others = beside.map(bashOf).join('\n');
  return `${tell}; begin ${quoted(whole)} ${quoted(until)} ${quoted(into)}\n${others}\nfinish ${stopped}`;
}

const BUCKET = /(?<=s3:\/\/|s3_bucket=)(?:bucket|new|photos-copy)(?![\w-])/g;

/** The script with a bucket of this run's in the place of each that documents name. */
async function withBuckets(server: S3Server, script: string): Promise<string> {
  const names = new Map<string, string>();
  for (const [name] of script.matchAll(BUCKET))
    if (!names.has(name)) names.set(name, await server.makeBucket());
  return script.replaceAll(BUCKET, (name) => names.get(name) ?? name);
}

/** Brings what connects to a socket in the file system to a server: machines have no network in common. */
async function bridge(socket: string, endpoint: string): Promise<AsyncDisposable> {
  const { hostname, port } = new URL(endpoint);
  const server = createServer((from) => {
    const to = connect(Number(port), hostname);
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const)
      one.on('error', () => other.destroy()).pipe(other);
  });
  await once(server.listen(socket), 'listening');
  return { [Symbol.asyncDispose]: async () => void (await once(server.close(), 'close')) };
}

/** The other end of it, for bash. */
const BRIDGE_END = `
cat > bridge.mjs <<'END'
import { connect, createServer } from 'node:net';
createServer((from) => {
  const to = connect('s3.socket');
  from.on('error', () => to.destroy()).pipe(to);
  to.on('error', () => from.destroy()).pipe(from);
}).listen(9000);
END
"$TEST_NODE" bridge.mjs &
until (: </dev/tcp/127.0.0.1/9000) 2>/dev/null; do sleep 0.1; done
`;

await withS3Server((server) => {
  test.skipIf(leftOut).each(MACHINES)(
    'lines of the documents are typed as they are printed: $name',
    async ({ steps, s3 = false }) => {
      await using folder = await temporaryFolder('lines');
      makeCertificate(folder.path, ['backup.example', 'backup', 'old.example']);
      const script = [BACKGROUND, s3 ? BRIDGE_END : '', ...steps.map(bashOf), 'echo all is well'].join('\n');
      await using _ = s3 ? await bridge(join(folder.path, 's3.socket'), server.endpoint) : undefined;
      const env = { TEST_NODE: CLI_NODE, ...(s3 && server.env) };
      const told = await inMachine(folder.path, s3 ? await withBuckets(server, script) : script, env);
      expect(told).toMatch(/all is well$/m);
      expect(told.match(/typed: /g)).toHaveLength(linesOf(steps).length);
    },
  );
});
