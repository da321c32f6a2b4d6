import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { aPng } from '../../test/support/api-pair.js';
import { openUploadBench, type UploadBench } from '../../test/support/upload-bench.js';

const BODY_BYTES = 200_000;
const UPLOADS = 150;

let bench: UploadBench;
beforeEach(async () => {
  bench = await openUploadBench();
});
afterEach(() => bench.close());

it('leaves bodies to the collector of young objects', async () => {
  const collectYoung = youngCollector();
  const agent = new Agent({ keepAlive: true, maxSockets: 2 });
  const form = aForm(aPng(BODY_BYTES));
  await upload(bench.url, agent, form);
  collectYoung();
  const before = process.memoryUsage().arrayBuffers;
  let left = UPLOADS;
  const client = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await upload(bench.url, agent, form);
      // The other client's upload is under way.
      if (left % 10 === 0) collectYoung();
    }
  };
  await Promise.all([client(), client()]);
  agent.destroy();
  // What survives it twice is old, and stays until the whole heap is collected.
  for (let again = 0; again < 3; again += 1) collectYoung();
  const kept = process.memoryUsage().arrayBuffers - before;
  expect(kept / BODY_BYTES).toBeLessThan(UPLOADS / 15);
});

/** Collects young objects only, which is what a process under load does most of the time. */
function youngCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void;
  return () => collect({ type: 'minor' });
}

function aForm(file: Buffer): Buffer {
  const head = '--edge\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n';
  return Buffer.concat([Buffer.from(head), file, Buffer.from('\r\n--edge--\r\n')]);
}

async function upload(url: string, agent: Agent, form: Buffer): Promise<void> {
  const sink = request(url, {
    method: 'POST',
    agent,
    headers: { 'Content-Type': 'multipart/form-data; boundary=edge', 'Content-Length': form.length },
  });
  sink.end(form);
  const [answer] = (await once(sink, 'response')) as [IncomingMessage];
  answer.resume();
  await once(answer, 'end');
  expect(answer.statusCode).toBe(202);
}
