import { SentinelConnector as LibrarySentinelConnector, type SentinelConnectionOptions } from 'ioredis';

/**
 * Finds the master through the sentinels, and begins each search with nothing left of the connection before. ioredis
 * keeps that one's failover detector: told of the new master in the middle of the search, it ends the search, and with it
 * the client for good.
 */
export class SentinelConnector extends LibrarySentinelConnector {
  constructor(options: unknown) {
    // ioredis hands a connector the options of its client.
    super(options as SentinelConnectionOptions);
  }

  override connect(
    ...args: Parameters<LibrarySentinelConnector['connect']>
  ): ReturnType<LibrarySentinelConnector['connect']> {
    this.disconnect();
    return super.connect(...args);
  }
}
