import {
  SentinelConnector as LibrarySentinelConnector,
  type Redis,
  type SentinelConnectionOptions,
} from 'ioredis';

/** What ioredis keeps to itself. */
interface Inside {
  connectToSentinel(...args: unknown[]): Redis;
}

/**
 * Finds the master through the sentinels, and begins each search with nothing left of the connection before. ioredis
 * keeps that one's failover detector: told of the new master in the middle of the search, it ends the search, and with it
 * the client for good. Where no sentinel could be asked, the error has as its cause what a connection to one met last, such
 * as a refused certificate: ioredis only says that it was closed.
 */
export class SentinelConnector extends LibrarySentinelConnector {
  private met: Error | undefined;

  constructor(options: unknown) {
    // ioredis hands a connector the options of its client.
    super(options as SentinelConnectionOptions);
    const inside = this as unknown as Inside;
    const connectToSentinel = inside.connectToSentinel.bind(this);
    // What listens for a failover has no listener for its errors: ioredis would print each of them, in no format of ours.
    inside.connectToSentinel = (...args) =>
      connectToSentinel(...args).on('error', (error: Error) => {
        this.met = error;
      });
  }

  override connect(
    emit: Parameters<LibrarySentinelConnector['connect']>[0],
  ): ReturnType<LibrarySentinelConnector['connect']> {
    this.disconnect();
    this.met = undefined;
    return super.connect((type, error) => {
      if (type === 'error') error.cause = this.met;
      emit(type, error);
    });
  }
}
