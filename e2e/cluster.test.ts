import { startClusterSandbox } from '@holdfast/shared/testing';
import { coreSuite } from './harness/core-suite.js';

coreSuite(startClusterSandbox, { storageType: 'Redis Cluster', level: 'replicated' });
