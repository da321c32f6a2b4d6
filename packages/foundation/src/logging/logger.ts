import { randomUUID } from 'node:crypto';
import winston from 'winston';
import type { Settings } from '../config/index.js';
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

const pretty = winston.format.printf(({ timestamp, level, message, ...fields }) => {
  const rest = Object.keys(fields).length === 0 ? '' : ` ${JSON.stringify(fields)}`;
  return `${String(timestamp)} ${level.padEnd(5)} ${String(message)}${rest}`;
});

/** Writes one event a line, each with the name of the process where one is given. */
export function createLogger(settings: Settings['log'], process?: string, output = 'stdout'): Logger {
  const { combine, timestamp, json } = winston.format;
  const root = winston.createLogger({
    level: settings.level === 'silent' ? 'error' : settings.level,
    silent: settings.level === 'silent',
    format: combine(timestamp(), settings.format === 'json' ? json() : pretty),
    transports: [
      new winston.transports.Console({
        stderrLevels: output === 'stderr' ? ['error', 'warn', 'info', 'debug'] : [],
      }),
    ],
  });
  return bind(root, process === undefined ? {} : { process });
}

/** For tests and tools that want no output. */
export const silentLogger: Logger = createLogger({ level: 'silent', format: 'json' });

function bind(root: winston.Logger, bound: Record<string, unknown>): Logger {
  const write =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (event: string, fields: LogFields = {}): void => {
      if (!root.isLevelEnabled(level)) return;
      root.log({ ...redact({ ...bound, ...fields }), level, message: event });
    };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (fields) => bind(root, { ...bound, ...fields }),
  };
}

const SANE = /^[A-Za-z0-9._-]{1,128}$/;

/** The client's own id if it is safe to log, else a new one. */
export function requestIdFrom(header: string | readonly string[] | undefined): string {
  return typeof header === 'string' && SANE.test(header) ? header : randomUUID();
}
