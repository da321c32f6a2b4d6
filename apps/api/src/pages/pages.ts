import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { PageFiles } from './page-files.js';

const own = (file: string): string => fileURLToPath(new URL(`../../pages/${file}`, import.meta.url));
const swagger = (file: string): string => createRequire(import.meta.url).resolve(`swagger-ui-dist/${file}`);

const consoleFiles = [
  'index.html',
  'console.css',
  'main.js',
  'api-key.js',
  'call.js',
  'elements.js',
  'media.js',
  'status.js',
  'sync.js',
  'thumbnail.js',
  'upload.js',
];

/** The console. Pictures may come from Cloudinary or a name of one's own for it; everything else is ours, nothing inline. */
export const consolePage: PageFiles = {
  files: Object.fromEntries(consoleFiles.map((file) => [file, own(`console/${file}`)])),
  contentPolicy:
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data: https:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
};

/** Swagger UI over /openapi.json; its small pictures are data in its own style sheet. */
export const docsPage: PageFiles = {
  files: {
    'index.html': own('docs/index.html'),
    'docs.js': own('docs/docs.js'),
    'swagger-ui.css': swagger('swagger-ui.css'),
    'swagger-ui-bundle.js': swagger('swagger-ui-bundle.js'),
  },
  contentPolicy:
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
};
