/**
 * The upload service that one writes in an afternoon: Express, multer in memory, the SDK's upload stream. It saves and
 * checks nothing; uploads of Holdfast are measured against it. Configured by CLOUDINARY_URL and PORT.
 */
import { v2 as cloudinary, type UploadApiResponse } from 'cloudinary';
import express from 'express';
import multer from 'multer';

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
  res.status(201).json(result);
});

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

const server = app.listen(Number(process.env['PORT']), '127.0.0.1');
process.once('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
});
