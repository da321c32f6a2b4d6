import type { Request, RequestHandler, Response } from 'express';
import { contextOf } from '../http/request-context.js';
import { type ApiMetrics, type UploadOutcome } from './api-metrics.js';

/** The upload route, with each request counted by its outcome once its answer is out or its client is gone. */
export function countUploads(
  serve: (req: Request, res: Response) => Promise<void>,
  uploads: ApiMetrics['uploads'],
): RequestHandler {
  return (req, res) => {
    res.once('close', () => uploads.inc({ outcome: outcomeOf(req, res) }));
    return serve(req, res);
  };
}

function outcomeOf(req: Request, res: Response): UploadOutcome {
  if (!res.headersSent || contextOf(req).problem === 'CLIENT_ABORTED') return 'aborted';
  const { statusCode } = res;
  if (statusCode >= 500) return 'failed';
  if (statusCode >= 400) return 'refused';
  if (res.hasHeader('Idempotent-Replayed')) return 'replayed';
  if (statusCode === 200) return 'duplicate';
  return statusCode === 201 ? 'verified' : 'accepted';
}
