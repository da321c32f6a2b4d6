import express, { type Request, type Response } from 'express';
import { parseWithin } from '../http/request-bodies.js';

const LIMIT_BYTES = 1_000_000;
const ARRIVES_WITHIN_MS = 15_000;

const parse = express.raw({ limit: LIMIT_BYTES, type: () => true });

/** The very bytes of the body: a signature covers them. Rejects with REQUEST_TIMEOUT, or as the parser does (problems.ts). */
export async function readRawBody(req: Request, res: Response): Promise<Buffer> {
  await parseWithin(ARRIVES_WITHIN_MS, parse, req, res);
  const body = req.body as unknown;
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}
