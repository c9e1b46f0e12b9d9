#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { readVersion } from './version.ts';
import { planHeapGrowth } from './heap-growth.ts';

// libuv starts its threads at the first use and never more: before anything of ours touches a disk
// asynchronously, which is why all else is imported below. Many, because fsync of small files waits in them.
process.env['UV_THREADPOOL_SIZE'] ??= '64';
enableCompileCache();

const args = process.argv.slice(2);
if (args.length === 1 && args[0] === '--version') console.log(readVersion());
else {
  planHeapGrowth(args.includes('receive') ? 'receiver' : 'sender');
  const { run } = await import('./run.ts');
  await run(args);
}
