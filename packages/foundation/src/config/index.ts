export { isLoopback, roles, type ApiKey, type Role } from './access-settings.js';
export * from './data-folder.js';
export type { CloudinarySettings, HostSettings, LocalHostSettings } from './host-settings.js';
export type { Environment } from './read-variable.js';
export { isUnnamed, type RedisConnection, type RedisNode, type RedisSettings } from './redis-settings.js';
export * from './settings.js';
export { durabilityLevels, isBelow, type DurabilityLevel, type RedisProfileName } from './variables.js';
