import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { startNginx } from '../../harness/nginx.ts';
import { startStage, untilSealed } from '../../harness/stage.ts';
import { lacks } from '../../harness/tools.ts';

const DOCS = readFileSync(new URL('../../docs/scaling.md', import.meta.url), 'utf8');
/** The `location` that docs/scaling.md shows. */
const LOCATION = /```nginx\n.*?( {2}location .*?\n {2}})/s.exec(DOCS)?.[1] ?? '';

test.skipIf(lacks('nginx'))('a receiver behind nginx, with the settings of the documentation', async () => {
  expect(LOCATION).toContain('proxy_pass http://isync;');
  await using stage = await startStage();
  const edge = await stage.edge('edge1');
  const upstream = `upstream isync { least_conn; server 127.0.0.1:${stage.receiver.port}; }`;
  await using nginx = await startNginx(LOCATION, upstream);
  await edge.write({ 'DC1/a': 10, 'DC1/large': 20_000_000 });
  await using daemon = edge.daemon([], { to: nginx.url.replace('http', 'ws') });
  await daemon.until('the first file', () => edge.has('DC1/a'));
  await edge.write({ 'DC1/b': 10, 'DC1/finished.parse': '' });
  await untilSealed(edge, ['DC1'], daemon);
  expect(await edge.differences()).toEqual([]);
  expect(daemon.stderr).not.toContain('link lost');
});
