export { isLoopback, roles, type AccessSettings, type ApiKey, type Role } from './access-settings.js';
export { makeDataFolder } from './data-folder.js';
export type { CloudinarySettings, HostSettings, LocalHostSettings } from './host-settings.js';
export { isUnnamed } from './redis-settings.js';
export type { RedisConnection, RedisNode, RedisSettings, StorageType } from './redis-settings.js';
export {
  readMoveSource,
  readServingSettings,
  readSettings,
  type DurabilitySettings,
  type JobSettings,
  type Settings,
  type SyncSettings,
  type UploadSettings,
} from './settings.js';
export { unreadSettings, type UnreadSetting } from './unread-settings.js';
export {
  durabilityLevels,
  isBelow,
  type DurabilityLevel,
  type Environment,
  type RedisProfileName,
} from './variables.js';
