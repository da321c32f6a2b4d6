import { defaultSettings, type Settings } from './settings.js';

/**
 * Where it is not known for sure what the real host does, each way in which it may. Whatever is built on it is tested in every one
 * of them; the first is what the settings are without.
 */
export const readings: Readonly<Record<string, Partial<Settings>>> = {
  'as the evidence says': {},
  'unknown fields refused': {
    unknownFields: { refusedWith: 'Unsupported attribute requested' },
    unlistedFields: [...defaultSettings.unlistedFields, 'uploaded_at'],
  },
  'fields that the listing ignores': {
    unlistedFields: [...defaultSettings.unlistedFields, 'etag', 'uploaded_at'],
  },
  'tags sorted everywhere, context nested': { tagOrder: 'sorted', contextShape: 'nested' },
  'tags as sent, context flat': { tagOrder: 'sent', contextShape: 'flat' },
  'context as pairs, durations in search': { contextShape: 'pairs', searchShowsDuration: true },
  'deleted assets kept as backups': { keepsBackups: true },
  'edits that merge': { explicitEdits: 'merges' },
  'fixed folders': { folderMode: 'fixed' },
  'fixed folders that refuse others': { folderMode: 'fixed', fixedFolders: 'refuse' },
};
