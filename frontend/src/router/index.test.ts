import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bootError, createAppRouter } from './index.ts';

const missing = new TypeError('Failed to fetch dynamically imported module');
const withPages = () => {
  const router = createAppRouter();
  const meta = { access: 'public' } as const;
  router.addRoute({ path: '/there', meta, component: { render: () => null } });
  router.addRoute({ path: '/gone', meta, component: () => Promise.reject(missing) });
  return router;
};
const server = (isThere: boolean) =>
  vi.stubGlobal('fetch', () => (isThere ? Promise.resolve(new Response()) : Promise.reject(new TypeError('away'))));
const settle = () => new Promise((resolve) => setTimeout(resolve, 20));

describe('a page whose code does not come', () => {
  const assign = vi.spyOn(location, 'assign').mockImplementation(() => undefined);
  beforeEach(() => {
    setActivePinia(createPinia());
    assign.mockClear();
    bootError.value = null;
    vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    bootError.value = null;
  });

  it('is asked for anew: after an upgrade its file has another name', async () => {
    server(true);
    const router = withPages();
    await router.push('/there');
    await router.push('/gone?a=1').catch(() => undefined);
    await vi.waitFor(() => expect(assign).toHaveBeenCalledWith('/gone?a=1'));
    expect(bootError.value).toBeNull();
  });

  it('costs nothing of the page that is open while the server is away', async () => {
    server(false);
    const router = withPages();
    await router.push('/there');
    await router.push('/gone').catch(() => undefined);
    await settle();
    expect(assign).not.toHaveBeenCalled();
    expect(router.currentRoute.value.path).toBe('/there');
  });

  it('is said to be missing when it is the first one, which asking anew would repeat for ever', async () => {
    server(true);
    await withPages()
      .push('/gone')
      .catch(() => undefined);
    await settle();
    expect(bootError.value).toBe(missing);
    expect(assign).not.toHaveBeenCalled();
  });
});
