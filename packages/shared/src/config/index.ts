export type { Environment } from './environment.js';
export { roles, type AccessSettings, type ApiKey, type Role } from './access-settings.js';
export { durabilityLevels, isBelow, type DurabilityLevel } from './durability-level.js';
export type { CloudinarySettings, HostSettings, LocalHostSettings } from './host-settings.js';
export { isLoopback } from './loopback.js';
export { isUnnamed } from './redis-settings.js';
export type { RedisConnection, RedisNode, RedisSettings, StorageType } from './redis-settings.js';
export type { RedisProfileName } from './variables.js';
export {
  readServingSettings,
  readSettings,
  type DurabilitySettings,
  type JobSettings,
  type Settings,
  type SyncSettings,
  type UploadSettings,
} from './settings.js';
export { unreadSettings, type UnreadSetting } from './unread-settings.js';
export { readMoveSource } from './move-source.js';
