/**
 * The upload service that one writes in an afternoon: Express, multer in memory, the SDK's upload stream. It saves and
 * checks nothing; uploads of Holdfast are measured against it. Configured by CLOUDINARY_URL and PORT.
 *
 * With REDIS_URL it is the queued app: it takes both checksums of each file as well, and adds a flow of two empty jobs,
 * BullMQ as it comes, before it answers. That much any service has to do whose uploads have checksums and two jobs.
 */
import { createHash } from 'node:crypto';
import { FlowProducer } from 'bullmq';
import { v2 as cloudinary, type UploadApiResponse } from 'cloudinary';
import express from 'express';
import { Redis } from 'ioredis';
import multer from 'multer';

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
  if (flows !== undefined) await queue(flows, file.buffer);
  res.status(201).json(result);
});

async function queue(producer: FlowProducer, bytes: Buffer): Promise<void> {
  const [sha256, md5] = ['sha256', 'md5'].map((name) => createHash(name).update(bytes).digest('hex'));
  const data = { sha256, md5 };
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
