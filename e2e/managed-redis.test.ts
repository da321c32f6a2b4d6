import { managedServices, startManagedRedis, type ManagedService } from '@holdfast/shared/testing';
import { describe } from 'vitest';
import { coreSuite, type CoreExpectations } from './harness/core-suite.js';

interface Rented extends CoreExpectations {
  what: string;
  service: Partial<ManagedService>;
}

describe.each<Rented>([
  {
    what: 'Redis Cloud, with the 30 connections of its free plan',
    service: managedServices.redisCloud,
    storageType: 'Redis',
    level: 'fsynced',
    findings: ['UNKNOWN_PERSISTENCE'],
  },
  {
    what: 'Azure, cutting idle connections',
    service: { ...managedServices.azure, idleMs: 1_500 },
    storageType: 'Redis',
    level: 'fsynced',
    findings: ['UNKNOWN_PERSISTENCE'],
  },
  {
    what: 'ElastiCache, from 30 ms away',
    service: { ...managedServices.elastiCache, latencyMs: 30 },
    storageType: 'Redis',
    level: 'written',
    findings: ['UNKNOWN_PERSISTENCE', 'REDIS_LIMITED'],
  },
])('on $what', ({ service, ...expected }) => {
  coreSuite(() => startManagedRedis(service), expected);
});
