import { Agent, request } from 'node:http';

/**
 * Clients that post an event again and again, as soon as the last answer is there: `node webhook-flood.ts PORT CLIENTS NAME`.
 * Each post has a key of its own. Prints `answer STATUS KEY` for each answer, unless it is 503 and, when it is told to end, how
 * many of those there were.
 */
const [, , port, clients, name] = process.argv;
const agent = new Agent({ keepAlive: true });
let refused = 0;
const over = new AbortController();
let count = 0;

function bodyOf(key: string): string {
  const s3 = { bucket: { name: 'photos' }, object: { key, size: 1, eTag: 'e', sequencer: '01' } };
  const record = { eventVersion: '2.1', eventSource: 'aws:s3', eventName: 'ObjectCreated:Put', s3 };
  return JSON.stringify({ Records: [record] });
}

function post(key: string): Promise<number> {
  return new Promise((resolve) => {
    const sent = request(
      { host: '127.0.0.1', port: Number(port), method: 'POST', path: '/webhook', agent },
      (response) => {
        response
          .resume()
          .on('error', () => resolve(0))
          .on('end', () => resolve(response.statusCode ?? 0));
      },
    );
    // The receiver was killed.
    sent.on('error', () => resolve(0)).end(bodyOf(key));
  });
}

async function client(): Promise<void> {
  while (!over.signal.aborted) {
    const key = `${name}-${count++}`;
    const status = await post(key);
    if (status === 0) return;
    if (status === 503) refused += 1;
    else process.stdout.write(`answer ${status} ${key}\n`);
  }
}

process.on('SIGTERM', () => over.abort());
await Promise.all(Array.from({ length: Number(clients) }, client));
agent.destroy();
console.log(`refused ${refused}`);
