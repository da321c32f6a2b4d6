import type { Catalog } from '@holdfast/shared/catalog';
import type { HoldfastError } from '@holdfast/shared/errors';
import type { JobName, JobPayload } from '@holdfast/shared/jobs';

interface Subject {
  id: string;
  revision: number;
  /** True where the last failure of the job makes the media failed. An edit that waits for the host does not. */
  decides: boolean;
}

type SubjectOf = { [Name in JobName]: (payload: JobPayload<Name>) => Subject | null };

/** Which record a failed job is noted in. A deletion is waited for in its status; a sync keeps its own account. */
const subjectOf: SubjectOf = {
  save: ({ record }) => ({ id: record.id, revision: record.revision, decides: true }),
  verify: ({ record }) => ({ id: record.id, revision: record.revision, decides: true }),
  push: ({ id }) => ({ id, revision: 0, decides: false }),
  remove: () => null,
  refresh: () => null,
  sync: () => null,
};

export interface Failure<Name extends JobName> {
  name: Name;
  payload: JobPayload<Name>;
  attempt: number;
  /** No attempt is left. */
  final: boolean;
  error: HoldfastError;
}

export type NoteFailure = <Name extends JobName>(failure: Failure<Name>) => Promise<void>;

/** Writes the failure of an attempt into the record: `lastError`, and after the last attempt status failed. */
export function createNoteFailure(catalog: Pick<Catalog, 'noteFailure'>): NoteFailure {
  return async ({ name, payload, attempt, final, error }) => {
    const subject = subjectOf[name](payload);
    if (subject === null) return;
    await catalog.noteFailure({
      id: subject.id,
      revision: subject.revision,
      attempts: attempt,
      final: final && subject.decides,
      error: { code: error.code, message: error.message },
    });
  };
}
