import { randomUUID } from 'node:crypto';
import { redact } from './redact.js';

/**
 * Fields of an event. Secrets are masked by name, texts are cut after 2,000 characters. The names that every line already
 * has are not allowed: one of the two values would be lost.
 */
export type LogFields = Record<string, unknown> & {
  message?: never;
  level?: never;
  timestamp?: never;
  process?: never;
};

/** Structured events: a fixed name and fields. Errors go under `error`; anything secret is masked before it is written. */
export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A logger that adds these fields to each of its events. */
  child(fields: LogFields): Logger;
}

/** Which events are written, and in which format. */
export interface LoggingSettings {
  /** Events below it are dropped; `silent` drops all. */
  level: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** One JSON object a line, or text for people at a terminal. */
  format: 'json' | 'pretty';
}

/** From weak to strong. `silent` is stronger than every event. */
const levels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
type Level = Exclude<LoggingSettings['level'], 'silent'>;

/** Writes one event a line, each with the name of the process where one is given. */
export function createLogger(
  { level: least, format }: LoggingSettings,
  fields: { process?: string } = {},
  output: 'stdout' | 'stderr' = 'stdout',
): Logger {
  const print = format === 'json' ? jsonLine : prettyLine;
  const bind = (bound: Record<string, unknown>): Logger => {
    const writer = (level: Level): Logger[Level] =>
      levels.indexOf(level) < levels.indexOf(least)
        ? () => undefined
        : (event, more = {}) =>
            void process[output].write(`${print(level, event, redact({ ...bound, ...more }))}\n`);
    return {
      debug: writer('debug'),
      info: writer('info'),
      warn: writer('warn'),
      error: writer('error'),
      child: (more) => bind({ ...bound, ...more }),
    };
  };
  return bind(fields);
}

function jsonLine(level: Level, message: string, fields: Record<string, unknown>): string {
  const event = { timestamp: new Date().toISOString(), level, message };
  // No field may take the place of these.
  return JSON.stringify({ ...event, ...fields, ...event });
}

function prettyLine(level: Level, message: string, fields: Record<string, unknown>): string {
  const rest = Object.keys(fields).length === 0 ? '' : ` ${JSON.stringify(fields)}`;
  return `${new Date().toISOString()} ${level.padEnd(5)} ${message}${rest}`;
}

/** For tests and tools that want no output. */
export const silentLogger: Logger = createLogger({ level: 'silent', format: 'json' });

const SANE = /^[A-Za-z0-9._-]{1,128}$/;

/** The client's own id if it is safe to log, else a new one. */
export function requestIdFrom(header: string | readonly string[] | undefined): string {
  return typeof header === 'string' && SANE.test(header) ? header : randomUUID();
}
