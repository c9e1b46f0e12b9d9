import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../harness/free-port.ts';
import type { Bench } from './bench.ts';
import { cpuOf, cpuOfChildren, runProgram, startProgram } from './process.ts';

/** Where a distribution has it; then wherever `PATH` says. */
const NGINX = ['/usr/sbin/nginx', 'nginx'];
/** Connections to one upstream that wait for the next request. */
const KEPT = 64;

export interface Nginx extends AsyncDisposable {
  readonly port: number;
  /** CPU seconds of all its processes so far. */
  cpu(): number;
}

/** The nginx that there is; undefined, and said so, where there is none. */
export async function findNginx(bench: Bench): Promise<string | undefined> {
  for (const candidate of NGINX) {
    const ended = await runProgram(candidate, ['-v']).catch(() => undefined);
    if (ended === undefined) continue;
    bench.say(`  ${candidate}: ${ended.stderr.trim()}`);
    return candidate;
  }
  bench.say('!!! NGINX IS NOT INSTALLED (apt-get install nginx-light)');
  return undefined;
}

/** An nginx that passes all requests on to `upstream`, a URL without a path, below `path` there. */
export async function startProxy(
  nginx: string,
  folder: string,
  { upstream, path }: { readonly upstream: string; readonly path: string },
): Promise<Nginx> {
  return await start(
    nginx,
    folder,
    `upstream s3 { server ${new URL(upstream).host}; keepalive ${KEPT}; }`,
    `proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://s3${path};`,
  );
}

/** An nginx that has the files of `root`, and lists its folders. */
export async function startFiles(nginx: string, folder: string, root: string): Promise<Nginx> {
  return await start(nginx, folder, '', `root ${root}; autoindex on;`);
}

/** In its settings Debian's own, but that it keeps to `folder`. */
async function start(nginx: string, folder: string, http: string, location: string): Promise<Nginx> {
  const home = join(folder, 'nginx');
  await mkdir(home);
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(home, name)};`,
  );
  // Else its workers have no right to our folder.
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  await writeFile(
    join(home, 'nginx.conf'),
    `${user} worker_processes auto; daemon off; pid ${join(home, 'pid')}; error_log ${join(home, 'error.log')};
events { worker_connections 768; }
http {
  sendfile on; tcp_nopush on; access_log ${join(home, 'access.log')};
  default_type application/octet-stream;
  ${temporary.join(' ')}
  ${http}
  server { listen 127.0.0.1:${port}; location / { ${location} } }
}
`,
  );
  const program = startProgram(nginx, ['-p', home, '-c', join(home, 'nginx.conf')]);
  try {
    await program.until('nginx to listen', async () => (await asked(port)) !== undefined);
  } catch (thrown) {
    await program[Symbol.asyncDispose]();
    throw thrown;
  }
  return {
    port,
    cpu: () => cpuOf(program.pid) + cpuOfChildren(program.pid),
    [Symbol.asyncDispose]: async () => await program[Symbol.asyncDispose](),
  };
}

async function asked(port: number): Promise<number | undefined> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    await answer.body?.cancel();
    return answer.status;
  } catch {
    // Not yet.
    return undefined;
  }
}
