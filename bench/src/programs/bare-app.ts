/**
 * The upload service that one writes in an afternoon: Express, multer in memory, the SDK's upload stream. It saves and
 * checks nothing; uploads of Holdfast are measured against it. `/stream` is for large files: the body is piped to the SDK, and
 * both checksums are taken. Configured by CLOUDINARY_URL and PORT.
 *
 * With REDIS_URL it is the queued app, which a user of BullMQ would write: it takes both checksums of each file as well and
 * adds a flow of two jobs before it answers. Its worker (bare-worker.ts) writes the record as one Redis hash and reads it back.
 * It has no intents, no indexes and no durability, and loses files in a crash.
 */
import { createHash } from 'node:crypto';
import { FlowProducer } from 'bullmq';
import { v2 as cloudinary, type UploadApiResponse } from 'cloudinary';
import express from 'express';
import { Redis } from 'ioredis';
import multer, { type StorageEngine } from 'multer';

const { PORT, REDIS_URL, BARE_PREFIX: prefix = 'bare' } = process.env;
const redis = REDIS_URL === undefined ? undefined : new Redis(REDIS_URL, { maxRetriesPerRequest: null });
const flows = redis && new FlowProducer({ connection: redis, prefix });

const app = express();
const upload = multer({ storage: multer.memoryStorage(), limits: { fileSize: 100_000_000 } });

app.get('/livez', (_req, res) => {
  res.json({ status: 'ok' });
});

// oxlint-disable-next-line oxc/no-async-endpoint-handlers -- Express 5 handles rejections
app.post('/upload', upload.single('file'), async (req, res) => {
  const { file } = req;
  if (file === undefined) {
    res.status(400).json({ error: 'no file' });
    return;
  }
  // One form in some 200,000 gets an empty boundary from the SDK, and is refused: it must not end the measurement.
  const result = await store(file.buffer).catch(() => store(file.buffer));
  if (flows !== undefined) await queue(flows, result, file);
  res.status(201).json(result);
});

app.post('/stream', multer({ storage: streaming() }).single('file'), (req, res) => {
  res.status(201).json(req.file);
});

/** Pipes the file to the SDK as it comes, and takes both checksums on the way. */
function streaming(): StorageEngine {
  return {
    _handleFile: (_req, file, callback) => {
      const sha256 = createHash('sha256');
      const md5 = createHash('md5');
      const sink = cloudinary.uploader.upload_stream(
        { resource_type: 'auto', folder: 'bare' },
        (error, uploaded) => {
          const hashes = { sha256: sha256.digest('hex'), md5: md5.digest('hex') };
          if (uploaded === undefined) callback(new Error(error?.message ?? 'upload failed'));
          else callback(null, { size: uploaded.bytes, path: uploaded.secure_url, ...hashes });
        },
      );
      file.stream.on('data', (chunk: Buffer) => {
        sha256.update(chunk);
        md5.update(chunk);
      });
      file.stream.pipe(sink);
    },
    _removeFile: (_req, _file, callback) => callback(null),
  };
}

async function queue(
  producer: FlowProducer,
  result: UploadApiResponse,
  { buffer, originalname }: Express.Multer.File,
): Promise<void> {
  const hashOf = (name: string): string => createHash(name).update(buffer).digest('hex');
  const record = {
    id: result.public_id,
    url: result.secure_url,
    resourceType: result.resource_type,
    format: result.format ?? '',
    bytes: String(result.bytes),
    sha256: hashOf('sha256'),
    md5: hashOf('md5'),
    filename: originalname,
    createdAt: result.created_at,
  };
  const data = { record };
  const children = [{ name: 'save', queueName: 'save', data }];
  await producer.add({ name: 'verify', queueName: 'verify', data, children });
}

function store(bytes: Buffer): Promise<UploadApiResponse> {
  return new Promise((resolve, reject) => {
    const stream = cloudinary.uploader.upload_stream(
      { resource_type: 'auto', folder: 'bare' },
      (error, uploaded) => {
        if (uploaded === undefined) reject(new Error(error?.message ?? 'upload failed'));
        else resolve(uploaded);
      },
    );
    stream.end(bytes);
  });
}

const server = app.listen(Number(PORT), '127.0.0.1');
process.once('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
  void flows?.close().then(() => redis?.disconnect());
});
