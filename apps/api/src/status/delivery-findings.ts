import type { Finding } from '@holdfast/shared/durability';

/** Kinds with a switch of their own, which is off in new accounts. */
const switched: ReadonlySet<string> = new Set(['pdf', 'zip']);
const SWITCH = 'Console: Settings > Security: switch on "Allow delivery of PDF and ZIP files".';
const OTHERS = 'Console: Settings > Security: look at "Restricted media types" and at access control.';

/** DELIVERY_BLOCKED, once for all kinds of files that the workers were refused (delivery-check.ts). */
export function deliveryFindings(blocked: Readonly<Record<string, string>>): Finding[] {
  const kinds = Object.keys(blocked).toSorted();
  if (kinds.length === 0) return [];
  const named = kinds.map((kind) => `${kind} (${String(statusOf(blocked[kind] ?? '{}'))})`);
  const fixes = new Set(kinds.flatMap(fixesOf));
  return [
    {
      code: 'DELIVERY_BLOCKED',
      severity: 'warning',
      message: `The host refuses to deliver files that it stores for us: ${named.join(', ')}. Nobody can open their addresses; nothing is lost.`,
      fix: [...fixes].join(' '),
    },
  ];
}

/** A raw file may be a ZIP whose name does not say so. */
function fixesOf(kind: string): string[] {
  return [...(switched.has(kind) || kind === 'raw' ? [SWITCH] : []), ...(switched.has(kind) ? [] : [OTHERS])];
}

function statusOf(text: string): number {
  return (JSON.parse(text) as { status: number }).status;
}
