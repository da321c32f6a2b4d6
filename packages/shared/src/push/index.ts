export { pushRecord, type Push, type PushDependencies } from './push-record.js';
