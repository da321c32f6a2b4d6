import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { complaintsOf, findBrowser, startBrowser } from './harness/browser.js';
import { aPng, apiClient, type ApiClient } from './harness/client.js';
import { createDeployment, type Deployment } from './harness/deployment.js';

const executable = findBrowser();
const SECRET = 'page-secret-0123456789';
const MARKUP = '<img src=x onerror="document.title=1"><b>bold</b>';

describe.skipIf(executable === undefined)('in a browser', () => {
  let deployment: Deployment;
  let client: ApiClient;
  let browser: Browser;

  beforeAll(async () => {
    deployment = await createDeployment('local', { API_KEYS: `page:admin:${SECRET}` });
    const [api] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
    client = apiClient(api.client.url, { Authorization: `Bearer ${SECRET}` });
    browser = await startBrowser(executable ?? '');
  });

  afterAll(async () => {
    await browser?.close();
    await deployment.close();
  });

  /** A page in a browser of its own: nothing stored is shared. */
  async function open(path: string, url = client.url): Promise<{ page: Page; complaints: string[] }> {
    const context = await browser.newContext();
    onTestFinished(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    const complaints = complaintsOf(page);
    await page.goto(`${url}${path}`);
    return { page, complaints };
  }

  async function giveKey(page: Page, secret = SECRET): Promise<void> {
    await page.getByLabel('Secret').fill(secret);
    await page.getByRole('button', { name: 'Save' }).click();
  }

  it('the console asks for a key, uploads a file and shows it verified, with its words as text', async () => {
    const { page, complaints } = await open('/');
    await giveKey(page, 'not-the-secret');
    await page.getByText('This key is unknown').waitFor();
    await giveKey(page);
    await page.getByLabel('File', { exact: true }).setInputFiles({
      name: 'a.png',
      mimeType: 'image/png',
      buffer: aPng(300_000),
    });
    await page.getByLabel('Title').fill(MARKUP);
    await page.getByLabel('Category').fill('<i>nature</i>');
    await page.getByLabel('Tags').fill('sea, <u>sky</u>');
    await page.getByRole('button', { name: 'Upload' }).click();
    await page.getByText(/^Verified: /).waitFor();
    const row = page.locator('#media li').first();
    await row.getByText('verified (fsynced)').waitFor();
    expect(await row.locator('.media-title').textContent()).toBe(MARKUP);
    expect(await row.textContent()).toContain('<i>nature</i>, sea, <u>sky</u>');
    expect(await row.locator('b, i, u').count()).toBe(0);
    expect(await page.title()).toBe('Holdfast');
    // The picture is behind the key, too.
    await row.locator('img.thumbnail').waitFor();
    await expect
      .poll(() => row.locator('img').evaluate((image) => (image as HTMLImageElement).naturalWidth))
      .toBe(1);
    const { body } = await client.list();
    expect(body.items[0]).toMatchObject({ title: MARKUP, tags: ['sea', '<u>sky</u>'], status: 'verified' });
    expect(complaints).toEqual([]);
  });

  it('the console keeps the key in this tab only', async () => {
    const { page } = await open('/');
    await giveKey(page);
    await page.locator('#facts').getByText('Files', { exact: true }).waitFor();
    const kept = await page.evaluate(() => [JSON.stringify(localStorage), document.cookie, location.href]);
    expect(kept).toEqual(['{}', '', `${client.url}/`]);
    const other = await page.context().newPage();
    await other.goto(client.url);
    await other.getByLabel('Secret').waitFor();
    await page.getByRole('button', { name: 'Forget API key' }).click();
    await page.getByLabel('Secret').waitFor();
  });

  it('the console starts a sync and shows its run', async () => {
    const { page, complaints } = await open('/');
    await giveKey(page);
    await page.getByLabel('Mode').selectOption('full');
    await page.getByRole('button', { name: 'Sync now' }).click();
    await page.locator('#runs').getByText('full (manual)').waitFor();
    await page.locator('#runs').getByText('ok', { exact: true }).first().waitFor();
    await page
      .locator('#health')
      .getByText(/healthy|degraded/)
      .waitFor();
    expect(complaints).toEqual([]);
  });

  it('the console distinguishes dry runs and waiting runs from others', async () => {
    const { page, complaints } = await open('/');
    await page.route('**/api/media/sync/status', async (route) => {
      const answer = await route.fetch();
      const status = (await answer.json()) as Record<'running' | 'lastRun', object | null>;
      status.running = { ...status.lastRun, result: null, waitingUntil: '2030-01-02T03:04:05.000Z' };
      status.lastRun = { ...status.lastRun, mode: 'full', trigger: 'manual', dryRun: true };
      await route.fulfill({ response: answer, json: status });
    });
    await giveKey(page);
    await page.locator('#runs').getByText('full (manual, dry run)').waitFor();
    await page
      .locator('#runs')
      .getByText(/^Waiting until .*2030/)
      .waitFor();
    expect(complaints).toEqual([]);
  });

  it('the console does not call media gone while their catalog is being refilled', async () => {
    await client.upload(aPng(2_000));
    const { page } = await open('/');
    await page.route('**/api/media?limit=*', (route) =>
      route.fulfill({ json: { items: [], nextCursor: null, total: 0, rebuilding: true } }),
    );
    await giveKey(page);
    await page.getByText('The catalog is being refilled').waitFor();
    expect(await page.locator('#media').textContent()).toBe('');
    await page.unroute('**/api/media?limit=*');
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await page.locator('#media li[data-id]').first().waitFor();
    expect(await page.locator('#media-state').textContent()).toBe('');
  });

  it('the console accepts the next file although no worker verifies the last one', async () => {
    const { page } = await open('/');
    await page.clock.install();
    await page.reload();
    await giveKey(page);
    await page.route('**/api/media/01*', async (route) => {
      const answer = await route.fetch();
      const media = (await answer.json()) as object;
      await route.fulfill({ response: answer, json: { ...media, status: 'saving', lastError: null } });
    });
    await page
      .getByLabel('File', { exact: true })
      .setInputFiles({ name: 'c.png', mimeType: 'image/png', buffer: aPng(3_000) });
    await page.getByRole('button', { name: 'Upload' }).click();
    await page.getByText(/^Accepted as .*: it is permanent/).waitFor();
    await page.clock.fastForward(12_000);
    await page.getByText(/ is saving\. Nothing is lost\.$/).waitFor();
    await expect.poll(() => page.getByRole('button', { name: 'Upload' }).isEnabled()).toBe(true);
  });

  it('the console says what is wrong with a file that is refused', async () => {
    const { page } = await open('/');
    await giveKey(page);
    await page.getByLabel('File', { exact: true }).setInputFiles({
      name: 'a.exe',
      mimeType: 'image/png',
      buffer: Buffer.from('MZ no picture'),
    });
    await page.getByRole('button', { name: 'Upload' }).click();
    await expect.poll(() => page.locator('#upload-state').textContent()).toMatch(/^UNSUPPORTED_TYPE: /);
  });

  it('the console leaves visitors without a key alone, and shows what is open', async () => {
    const api = await deployment.startApi({ PUBLIC_READ: 'true' });
    const { page } = await open('/', api.client.url);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('Some sections need an API key.').waitFor();
    await page.locator('#media li').first().waitFor();
    await page.reload();
    await page.getByText('Some sections need an API key.').waitFor();
    expect(await page.getByLabel('Secret').isVisible()).toBe(false);
    await page.getByRole('button', { name: 'Enter API key' }).click();
    await giveKey(page);
    await page.locator('#facts').getByText('Files', { exact: true }).waitFor();
  });

  it('the console accepts a key in any alphabet', async () => {
    const { page, complaints } = await open('/');
    await giveKey(page, 'Schlüssel 鍵');
    await page.getByText('This key is unknown').waitFor();
    await giveKey(page);
    await page.locator('#facts').getByText('Files', { exact: true }).waitFor();
    expect(complaints).toEqual([]);
  });

  it('the console keeps what "Show more" brought when it looks again', async () => {
    for (let n = 0; n < 13; n += 1) await client.upload(aPng(1_000 + n));
    const { page } = await open('/');
    await giveKey(page);
    const rows = page.locator('#media li');
    await expect.poll(() => rows.count()).toBe(12);
    await page.getByRole('button', { name: 'Show more' }).click();
    await expect.poll(() => rows.count()).toBeGreaterThan(12);
    const count = await rows.count();
    const looked = page.waitForResponse((answer) => answer.url().includes('/api/media?limit=24'));
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await (await looked).finished();
    expect(await rows.count()).toBe(count);
  });

  it('the console sends a form again under the same key when the answer got lost, and says when there is none', async () => {
    const { page } = await open('/');
    await giveKey(page);
    await page.locator('#facts').getByText('Files', { exact: true }).waitFor();
    const before = (await client.list()).body.total ?? 0;
    await page
      .getByLabel('File', { exact: true })
      .setInputFiles({ name: 'b.png', mimeType: 'image/png', buffer: aPng(5_000) });
    await page.route('**/api/media/upload', async (route) => {
      await route.fetch();
      await route.abort();
    });
    await page.getByRole('button', { name: 'Upload' }).click();
    await page.getByText('The connection was lost. Try again.').waitFor();
    await page.unroute('**/api/media/upload');
    await page.getByRole('button', { name: 'Upload' }).click();
    await page.getByText(/^Verified: /).waitFor();
    expect((await client.list()).body.total).toBe(before + 1);

    await page.route('**/api/**', (route) => route.abort());
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await page.locator('#health').getByText('Not responding').waitFor();
    expect(await page.locator('#facts').textContent()).not.toContain('connected');
  });

  it('/admin/queues shows a job and its forms, with no script inline', async () => {
    const { id } = (await client.upload(aPng(4_000))).body.media;
    const context = await browser.newContext({ httpCredentials: { username: 'page', password: SECRET } });
    onTestFinished(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    const complaints = complaintsOf(page);
    const answer = await page.goto(`${client.url}/admin/queues/queue/save/save-${id}-1`);
    expect(answer?.headers()['content-security-policy']).toContain("script-src 'self';");
    await page.getByText(`"${id}"`).first().waitFor();
    await page.locator('header button').last().click();
    await page.getByRole('dialog').getByText('Settings').waitFor();
    await page.goto(`${client.url}/admin/queues/queue/save`);
    await page.locator('main [aria-haspopup=menu]').first().click();
    await page.getByRole('menuitem', { name: 'Add job' }).click();
    const editor = page.locator('[role=dialog] .cm-editor').first();
    // Its styles are there.
    await expect.poll(() => editor.evaluate((element) => getComputedStyle(element).display)).toBe('flex');
    expect(complaints).toEqual([]);
  });

  it('/docs shows the description, with nothing from elsewhere', async () => {
    const { page, complaints } = await open('/docs');
    await page.getByText('/api/media/upload', { exact: true }).first().waitFor();
    // The shackle of a closed padlock ends in its body: this operation needs a key.
    const padlock = page.getByLabel('authorization button unlocked').first().locator('path');
    expect(await padlock.getAttribute('d')).toContain('V8H4c');
    await page.getByText('Upload one file').first().click();
    await page.getByText('duplicates').first().waitFor();
    await page.getByRole('button', { name: 'Try it out' }).click();
    await page.getByRole('button', { name: 'Execute' }).waitFor();
    const loaded = await page.evaluate(() =>
      performance.getEntriesByType('resource').map(({ name }) => name),
    );
    expect(loaded.filter((name) => !name.startsWith(client.url) && !name.startsWith('data:'))).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
