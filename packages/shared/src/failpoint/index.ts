export { failpoint, failpoints, type Failpoint } from './failpoint.js';
