import { expect, test } from 'vitest';
import { png } from './testing/png.js';
import { failure } from './testing/sdk-for.js';
import { setup } from './testing/setup.js';

test('refuses Admin calls past the limit with 420 until the hour is over, and never uploads', async () => {
  let now = Date.parse('2026-01-01T10:20:00Z');
  const { sdk } = await setup({ rateLimitPerHour: 2, now: () => now });
  expect(await sdk.list()).toMatchObject({ rate_limit_allowed: 2, rate_limit_remaining: 1 });
  expect(await sdk.search('')).toMatchObject({ rate_limit_remaining: 0 });
  expect(await failure(sdk.list())).toEqual({
    message: 'Rate Limit Exceeded. Limit of 2 api operations reached. Try again on 2026-01-01 11:00:00 UTC',
    http_code: 420,
  });
  await sdk.upload(png(1, 1), { public_id: 'a' });
  await sdk.cloudinary.uploader.explicit('a', { ...sdk.account(), type: 'upload' });
  now = Date.parse('2026-01-01T11:00:00Z');
  expect(await sdk.list()).toMatchObject({
    rate_limit_remaining: 1,
    rate_limit_reset_at: new Date('2026-01-01T12:00:00Z'),
  });
});

test('sends the headers without a limit too', async () => {
  const { sdk } = await setup();
  const { rate_limit_allowed: allowed, rate_limit_remaining: remaining } = await sdk.list();
  expect(remaining).toBe((allowed ?? 0) - 1);
});

test('reports the limits of the plan', async () => {
  const { sdk } = await setup({ maxBytes: { image: 1000 } });
  expect(await sdk.api.usage(sdk.account())).toMatchObject({ media_limits: { image_max_size_bytes: 1000 } });
  expect(await sdk.api.ping(sdk.account())).toMatchObject({ status: 'ok' });
});
