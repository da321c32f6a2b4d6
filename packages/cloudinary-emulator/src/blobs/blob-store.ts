/** Takes the bytes of one file as they arrive. */
export interface BlobWriter {
  /** Null when more may be written at once, else a promise to wait for. */
  write(chunk: Buffer): Promise<void> | null;
  /** Keeps the bytes under the key; null when this store keeps none. */
  finish(key: string): Promise<string | null>;
  /** Throws away what was written. Safe at any time before `finish`. */
  abort(): Promise<void>;
}

/** Where stored bytes rest. */
export interface BlobStore {
  /** False where only size and hash of a file stay. */
  readonly keeps: boolean;
  open(): BlobWriter;
  read(key: string): Promise<Buffer | null>;
  /** Replaces the bytes of a key. */
  replace(key: string, bytes: Buffer): Promise<void>;
  remove(key: string): Promise<void>;
}
