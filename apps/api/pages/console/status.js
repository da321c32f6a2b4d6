import { call } from './call.js';
import { byId, element, say, sizeOf } from './elements.js';

/** @type {Readonly<Record<string, string>>} */
const looks = {
  healthy: 'good',
  degraded: 'fair',
  unhealthy: 'bad',
  error: 'bad',
  warning: 'fair',
  notice: '',
};

/** @typedef {{ code: string, severity: string, message: string, fix: string }} Finding */

export async function showHealth() {
  const health = await call('/api/media/health', {}, [503]).catch((error) => {
    showNothing();
    throw error;
  });
  say('health', String(health.status), looks[health.status] ?? 'bad');
  const { storage, queues, host, persistence } = health;
  const waiting = ['save', 'verify', 'sync'].reduce((sum, name) => sum + (queues[name]?.waiting ?? 0), 0);
  const failed = ['save', 'verify', 'sync'].reduce((sum, name) => sum + (queues[name]?.failed ?? 0), 0);
  setFacts({
    Catalog: `${storage.type}, ${storage.connected ? 'connected' : 'not connected'}`,
    Writes: `${persistence.message} (${persistence.latencyMs} ms)`,
    'Media host': [
      host.type,
      host.reachable === false ? 'not reachable' : '',
      host.freeBytes === null ? '' : `${sizeOf(host.freeBytes)} free`,
    ]
      .filter((part) => part !== '')
      .join(', '),
    Workers: queues.workers === null ? 'Unknown' : String(queues.workers),
    Measured: new Date(health.measuredAt).toLocaleTimeString(),
    Jobs: queues.available ? `${waiting} waiting, ${failed} failed` : 'Unknown',
  });
  byId('findings', HTMLUListElement).replaceChildren(
    ...storage.findings.map((/** @type {Finding} */ { code, severity, message, fix }) =>
      element(
        'li',
        { class: looks[severity] ?? '' },
        element('strong', {}, `${code} (${severity})`),
        element('p', {}, message),
        element('p', {}, fix),
      ),
    ),
  );
}

/** Earlier measurements say nothing about the present. */
function showNothing() {
  say('health', 'Not responding', 'bad');
  byId('facts', HTMLDListElement).replaceChildren();
  byId('findings', HTMLUListElement).replaceChildren();
}

export async function showCounts() {
  const { mediaCount, byStatus } = await call('/api/media/database/status').catch((error) => {
    setFacts({ Files: 'Unknown' });
    throw error;
  });
  const parts = Object.entries(byStatus)
    .filter(([, count]) => Number(count) > 0)
    .map(([status, count]) => `${String(count)} ${status}`);
  const detail = parts.length === 0 ? '' : `: ${parts.join(', ')}`;
  setFacts({ Files: mediaCount === null ? 'Unknown' : `${mediaCount}${detail}` });
}

/** @param {Readonly<Record<string, string>>} facts */
function setFacts(facts) {
  const list = byId('facts', HTMLDListElement);
  for (const [name, value] of Object.entries(facts)) {
    const known = [...list.querySelectorAll('dt')].find((term) => term.textContent === name);
    if (known?.nextElementSibling) known.nextElementSibling.textContent = value;
    else list.append(element('dt', {}, name), element('dd', {}, value));
  }
}
