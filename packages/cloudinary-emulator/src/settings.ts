import type { ResourceType } from './assets/asset.js';
import type { SignatureAlgorithm } from './signature.js';

/** Everything about the emulated account and host that can be changed while it runs. */
export interface Settings {
  /** Delay of every answer of the Upload API (upload, explicit, destroy, ...), after the work is done. */
  responseDelayMs: number;
  /** Delay of every answer of the Admin API. */
  listDelayMs: number;
  /** Admin calls per clock hour; null sends the headers but never refuses. */
  rateLimitPerHour: number | null;
  /** How long a change stays invisible to search. */
  searchLagMs: number;
  /** The plan's limits. */
  maxBytes: Record<ResourceType, number>;
  /** What one request may carry; larger files go up in parts. */
  maxRequestBytes: number;
  /** Null accepts SHA-1 and SHA-256 and signs with SHA-1. */
  signatureAlgorithm: SignatureAlgorithm | null;
  /** What notifications are signed with, as with the secret of another API key; null = `apiSecret` of the account. */
  notificationSecret: string | null;
  /** Addresses that get every notification, besides `notification_url` of a call. */
  webhookTargets: string[];
  /** Waits before the repeats of a notification that was not answered by 2xx. */
  webhookRetryDelaysMs: number[];
  /** Whether an overwrite drops tags, context and metadata that were not sent again. */
  overwriteClears: boolean;
  /** Whether an upload that must not overwrite is answered before its file is read, if the id is taken. */
  existingAnswersEarly: boolean;
  /** Whether search expressions know `last_updated`. Not documented for the real host. */
  searchKnowsLastUpdated: boolean;
  /** What a listing does with names in `fields` that it does not know: it leaves them out, or answers 400 with this message. */
  unknownFields: 'ignored' | { refusedWith: string };
  /** The names that it does not know, of those that some answers show. */
  unlistedFields: string[];
  /** Answers that show tags sorted, not as they were sent. */
  tagOrder: 'sent' | 'sorted in details' | 'sorted';
  /** How answers show context; `usual` is `{custom: {...}}`, and flat in search. */
  contextShape: 'usual' | 'nested' | 'flat' | 'pairs';
  /** Whether a deleted asset stays as a backup, which single looks show as a placeholder without bytes. */
  keepsBackups: boolean;
  /** Whether search shows the duration of videos. Listings never do. */
  searchShowsDuration: boolean;
  /** Upload presets by name; `unsigned` ones work without a signature. */
  presets: Record<string, { unsigned: boolean; params: Record<string, string> }>;
  /** What the account's default upload preset does to every upload that names no preset; null where there is none. */
  defaultPreset: DefaultPreset | null;
  /** Accounts made since June 2024 have dynamic folders. */
  folderMode: 'fixed' | 'dynamic';
  /** What an account with fixed folders does with `asset_folder` and `display_name`. Documented as not relevant there. */
  fixedFolders: 'ignore' | 'refuse';
  /** What `explicit` does with the context and the tags that it is given. The live tests of the SDKs say that it replaces. */
  explicitEdits: 'replaces' | 'merges';
  /** Formats, or resource types, that the account does not deliver: 401. New free accounts of the real host: pdf and zip. */
  blockedDelivery: string[];
  /** Added to the clock: moves the emulated host through time. */
  clockOffsetMs: number;
}

/** Settings of an upload preset that change what is uploaded. */
export interface DefaultPreset {
  /** Put before the public id. */
  folder?: string;
  /** An incoming transformation: images and videos are stored with other bytes. */
  transforms?: boolean;
  /** Added to those of the upload. */
  tags?: string[];
  /** Added to that of the upload, which wins. */
  context?: Record<string, string>;
  /** Where the upload names none. */
  assetFolder?: string;
}

/** Who the account is; fixed for the life of an emulator. */
export interface Account {
  cloudName: string;
  apiKey: string;
  apiSecret: string;
  /** Where the emulator listens, without a trailing slash. */
  url: string;
}

/** The limits of Cloudinary's free plan. */
export const freePlanLimits: Record<ResourceType, number> = {
  image: 10_485_760,
  video: 104_857_600,
  raw: 10_485_760,
};

const GENEROUS_BYTES = 4_000_000_000;

export const defaultSettings: Settings = {
  responseDelayMs: 0,
  listDelayMs: 0,
  rateLimitPerHour: null,
  searchLagMs: 0,
  maxBytes: { image: GENEROUS_BYTES, video: GENEROUS_BYTES, raw: GENEROUS_BYTES },
  maxRequestBytes: 100_000_000,
  signatureAlgorithm: null,
  notificationSecret: null,
  webhookTargets: [],
  webhookRetryDelaysMs: [180_000, 360_000, 540_000],
  overwriteClears: true,
  existingAnswersEarly: false,
  searchKnowsLastUpdated: true,
  unknownFields: 'ignored',
  unlistedFields: ['duration', 'placeholder', 'last_updated'],
  tagOrder: 'sorted in details',
  contextShape: 'usual',
  keepsBackups: false,
  searchShowsDuration: false,
  presets: {},
  defaultPreset: null,
  folderMode: 'dynamic',
  fixedFolders: 'ignore',
  explicitEdits: 'replaces',
  blockedDelivery: [],
  clockOffsetMs: 0,
};
