import { get, type Agent } from 'node:http';

/** Follows a file as a client would (Server-Sent Events). Resolves at its `verified` event, with `performance.now()` of then. */
export function followVerified(apiUrl: string, id: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = get(`${apiUrl}/api/media/${id}/events`, { agent }, (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`events answered ${String(answer.statusCode)}`));
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (piece: string) => {
        text += piece;
        if (!text.includes('"status":"verified"')) return;
        resolve(performance.now());
        request.destroy();
      });
      answer.on('error', reject);
      answer.on('end', () => reject(new Error(`the events of ${id} ended before it was verified`)));
    });
    request.on('error', reject);
  });
}
