export { isLoopback, roles, type ApiKey, type Role } from './access-settings.js';
export { makeDataFolder } from './data-folder.js';
export type { CloudinarySettings, HostSettings, LocalHostSettings } from './host-settings.js';
export type { Environment } from './read-variable.js';
export { isUnnamed } from './redis-settings.js';
export type { RedisConnection, RedisNode, RedisSettings, StorageType } from './redis-settings.js';
export {
  readServingSettings,
  readSettings,
  type AccessSettings,
  type DurabilitySettings,
  type JobSettings,
  type Settings,
  type SyncSettings,
  type UploadSettings,
} from './settings.js';
export { unreadSettings, type UnreadSetting } from './unread-settings.js';
export { durabilityLevels, isBelow, type DurabilityLevel, type RedisProfileName } from './variables.js';
