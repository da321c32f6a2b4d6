import { startTlsSandbox } from '@holdfast/shared/testing';
import { coreSuite } from './harness/core-suite.js';

coreSuite(startTlsSandbox, { storageType: 'Redis', level: 'fsynced' });
