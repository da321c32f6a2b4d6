interface Body {
  code?: unknown;
  media?: unknown;
  [field: string]: unknown;
}

/** What became of a request. `unsent`: it never reached a process. `open`: nobody knows. */
export type Reply =
  | { kind: 'answer'; status: number; headers: Headers; body: Body }
  | { kind: 'unsent'; why: string }
  | { kind: 'open'; why: string };

/** One request; never throws. The answer counts only when it has come whole. */
export async function callApi(url: string, init: RequestInit, timeoutMs: number): Promise<Reply> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(timeoutMs) });
    const text = await response.text();
    const body = /json/.test(response.headers.get('content-type') ?? '') ? (JSON.parse(text) as unknown) : {};
    return {
      kind: 'answer',
      status: response.status,
      headers: response.headers,
      body: body as Body,
    };
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } };
    const why = cause?.code ?? (error as Error).name;
    return { kind: why === 'ECONNREFUSED' ? 'unsent' : 'open', why };
  }
}

/** What a reply says, in short: the status and code of an answer, or why there is none. */
export function describeReply(reply: Reply): string {
  if (reply.kind !== 'answer') return reply.why;
  const { code } = reply.body;
  return typeof code === 'string' ? `${String(reply.status)} ${code}` : String(reply.status);
}
