import { createServer, type ServerResponse } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';
import express, { type Request, type Response } from 'express';
import { expect, it } from 'vitest';
import { freePort } from '@holdfast/shared/testing';
import { expressMessages } from './http-server.js';

setFlagsFromString('--allow-natives-syntax');
const haveSameShape = runInThisContext('(one, other) => %HaveSameMap(one, other)') as (
  one: object,
  other: object,
) => boolean;

/** Two requests that are in the same place at the same time, with their answers. */
async function twoAtOnce(classes: typeof expressMessages | null): Promise<[Request, Response][]> {
  const app = express();
  const met: [Request, Response][] = [];
  app.get('/', (req, res) => {
    met.push([req, res]);
    if (met.length === 2) for (const [, answer] of met) (answer as ServerResponse).end(req.hostname);
  });
  const port = await freePort();
  const server = createServer(classes?.(app) ?? {}, app).listen(port, '127.0.0.1');
  try {
    const ask = async (): Promise<string> => (await fetch(`http://127.0.0.1:${String(port)}/`)).text();
    expect(await Promise.all([ask(), ask()])).toEqual(['127.0.0.1', '127.0.0.1']);
  } finally {
    server.close();
    server.closeAllConnections();
  }
  return met;
}

it('requests and answers of an Express app have one shape, where Express alone gives each its own', async () => {
  const shared = async (classes: typeof expressMessages | null): Promise<boolean[]> => {
    const [one, other] = await twoAtOnce(classes);
    if (one === undefined || other === undefined) throw new Error('two requests');
    return [haveSameShape(one[0], other[0]), haveSameShape(one[1], other[1])];
  };
  expect(await shared(null)).toEqual([false, false]);
  expect(await shared(expressMessages)).toEqual([true, true]);
});
