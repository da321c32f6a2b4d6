import type { SchemaName } from './schemas.js';

/** What the names of fields do not say by themselves. */
export const fieldDescriptions: Partial<Record<SchemaName, Readonly<Record<string, string>>>> = {
  Problem: {
    type: 'A URN that ends with the code.',
    detail: 'For people: what is wrong with this request.',
    code: 'Stable; what programs should look at.',
    errors: 'What is wrong with single fields.',
  },
  Media: {
    id: 'A time-ordered ULID, or `cld-` and the asset id for assets found on the host.',
    status:
      '`saving` until it is verified. `deferred`: accepted while the catalog could not be reached. `failed`: all attempts used, nothing is lost. `missing`: the host no longer has it. `deleting`: until the host confirms.',
    publicId: 'Name of the asset on the host.',
    assetId: 'Id of the asset on the host; stays when it is renamed.',
    resourceType: 'As Cloudinary sorts files: audio counts as video.',
    durationSeconds: 'Of videos, where it is known.',
    url: 'Where the bytes are.',
    checksum: 'Of the uploaded bytes. `sha256` is null where they never passed through us.',
    uploadedBy: 'Name of the API key.',
    source: 'How the record first came into the catalog.',
    updatedAt: 'Changes only with `revision`.',
    revision: 'Grows by one with each edit.',
    persistence: 'What the Redis server confirmed when the record was verified, and in how many attempts.',
    lastError: 'Of the last failed attempt; null once it succeeded.',
  },
  MediaPage: {
    nextCursor: 'Null on the last page.',
    total: 'Of all pages; null where counting is not cheap.',
    rebuilding: 'There while an emptied catalog is being refilled: more will come.',
  },
  Storage: {
    hasKV: 'Whether an external Redis is configured.',
    connectionTest: '`passed`, or `failed: ` and why.',
    persistenceWarning: 'Empty when records survive what they should.',
  },
  Host: {
    reachable: 'By the last call; null before the first.',
    circuit: '`open`: it does not answer, so uploads are refused at once.',
    freeBytes: 'Of the disk of the local host, 0 where it has hardly any inodes left; null elsewhere.',
  },
  SyncRun: {
    finishedAt: 'Null while it runs.',
    result: '`partial`: it completed, but held a change back. Null while it runs.',
    errors: 'How many assets could not be brought in, and failed tries of the run itself.',
    removed: 'Assets taken off the host: deleted here before, or never acknowledged.',
    hostCalls: 'Metered calls to the host.',
    drift: 'Of a dry run that has ended: what it found different.',
    expected: 'About how many assets a full run will list.',
    waitingUntil: 'While the host asks to wait.',
  },
  DriftItem: {
    detail: 'For people.',
    action: 'What the run did about it; in a dry run, what it would have done.',
  },
  DriftPage: {
    runId: 'Null before the first full run.',
    cut: 'True where there may have been more than is kept.',
  },
  Ticket: { fields: 'To post together with the file, as they are.' },
};
