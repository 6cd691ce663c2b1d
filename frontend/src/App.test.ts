import { flushPromises, mount, type VueWrapper } from '@vue/test-utils';
import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import App from './App.vue';
import { credentials } from './api/client.ts';
import { i18n } from './locales/index.ts';
import { createAppRouter } from './router/index.ts';
import { useAccountStore } from './stores/account.ts';
import { answerRequests } from './testing/mount-page.ts';
import { signedInFixture } from './testing/signed-in.ts';

const signedIn = signedInFixture();
const until = (condition: () => boolean) => vi.waitFor(() => expect(condition()).toBe(true));

let app: VueWrapper;
let router: ReturnType<typeof createAppRouter>;
const path = () => router.currentRoute.value.path;

beforeEach(async () => {
  localStorage.clear();
  answerRequests(
    ({ path: asked }) =>
      asked === '/api/auth/state'
        ? { body: { version: '1', registration: 'closed', firstAdminNeeded: false, demo: false } }
        : undefined,
    ({ path: asked }) => (asked === '/api/auth/sign-in' ? { body: signedIn } : undefined),
  );
  const pinia = createPinia();
  setActivePinia(pinia);
  router = createAppRouter();
  useAccountStore().accept(signedIn);
  await router.push('/settings/profile');
  app = mount(App, { global: { plugins: [pinia, i18n, router] }, attachTo: document.body });
  await flushPromises();
});
afterEach(() => {
  app.unmount();
  credentials.clear();
  vi.unstubAllGlobals();
});

describe('an account that is signed out while its page is open', () => {
  it('lands on the sign-in page, is told why, and goes on where it was', async () => {
    credentials.clear();
    await until(() => path() === '/sign-in');
    await until(() => app.find('[data-testid=session-ended]').exists());
    await app.find('input[name=username]').setValue('ana');
    await app.find('input[name=current-password]').setValue('correct horse battery');
    await app.find('form').trigger('submit');
    await until(() => path() === '/settings/profile');
  });

  it('is not led back when it left by choice', async () => {
    await useAccountStore()
      .signOut()
      .catch(() => undefined);
    await until(() => path() === '/sign-in');
    await until(() => app.find('input[name=username]').exists());
    expect(router.currentRoute.value.query).toEqual({});
    expect(app.find('[data-testid=session-ended]').exists()).toBe(false);
  });
});
