import { shallowRef } from 'vue';
import {
  createRouter,
  createWebHistory,
  type RouteLocationNormalized,
  type RouteRecordRaw,
  type Router,
} from 'vue-router';
import { linkSecret } from '../features/auth/link-secret.ts';
import { useAccountStore } from '../stores/account.ts';

declare module 'vue-router' {
  interface RouteMeta {
    /** `public` pages need nobody signed in; `admin` ones are not found for others. Default: signed in. */
    access?: 'public' | 'admin';
    /** The secret of a link stands in the fragment and leaves the address bar at once. */
    takesSecret?: boolean;
    /** Key of the document title; agent pages set their own. */
    title?: string;
  }
}

/** Why the first page could not be shown: who is signed in is not known, or its code did not come. Shown instead of any page. */
export const bootError = shallowRef<unknown>(null);

const pages: RouteRecordRaw[] = [
  { path: '', name: 'home', component: () => import('../features/home/HomePage.vue'), meta: { title: 'home.title' } },
  { path: 'agents/new', name: 'agent-new', component: () => import('../features/agent-editor/AgentEditorPage.vue') },
  {
    path: 'agents/:agentId(\\d+)',
    name: 'agent',
    component: () => import('../features/agent/AgentPage.vue'),
    props: true,
  },
  {
    path: 'agents/:agentId(\\d+)/edit',
    name: 'agent-edit',
    component: () => import('../features/agent-editor/AgentEditorPage.vue'),
    props: true,
  },
  {
    path: 'agents/:agentId(\\d+)/recordings/:terminal(main|shell-[1-9][0-9]?)',
    name: 'recording',
    component: () => import('../features/recording/RecordingPage.vue'),
    props: true,
  },
  {
    path: 'settings',
    component: () => import('../features/account/SettingsLayout.vue'),
    redirect: { name: 'profile' },
    children: [
      {
        path: 'profile',
        name: 'profile',
        component: () => import('../features/account/ProfilePage.vue'),
        meta: { title: 'account.profile' },
      },
      {
        path: 'password',
        name: 'password',
        component: () => import('../features/account/PasswordPage.vue'),
        meta: { title: 'account.password' },
      },
      {
        path: 'sessions',
        name: 'sessions',
        component: () => import('../features/account/SessionsPage.vue'),
        meta: { title: 'account.sessions' },
      },
    ],
  },
  {
    path: 'admin',
    component: () => import('../features/admin/AdminLayout.vue'),
    redirect: { name: 'admin-users' },
    meta: { access: 'admin' },
    children: [
      {
        path: 'users',
        name: 'admin-users',
        component: () => import('../features/admin/UsersPage.vue'),
        meta: { title: 'admin.users' },
      },
      {
        path: 'volumes',
        name: 'admin-volumes',
        component: () => import('../features/admin/VolumesPage.vue'),
        meta: { title: 'admin.volumes' },
      },
      {
        path: 'settings',
        name: 'admin-settings',
        component: () => import('../features/admin/SettingsPage.vue'),
        meta: { title: 'admin.settings' },
      },
    ],
  },
  {
    path: ':rest(.*)*',
    name: 'not-found',
    component: () => import('../features/home/NotFoundPage.vue'),
    meta: { title: 'home.notFoundTitle' },
  },
];

const routes: RouteRecordRaw[] = [
  {
    path: '/sign-in',
    name: 'sign-in',
    component: () => import('../features/auth/SignInPage.vue'),
    meta: { access: 'public', title: 'auth.signIn' },
  },
  {
    path: '/welcome',
    name: 'welcome',
    component: () => import('../features/auth/WelcomePage.vue'),
    meta: { access: 'public', takesSecret: true, title: 'auth.setUp' },
  },
  {
    path: '/join',
    name: 'join',
    component: () => import('../features/auth/RegisterPage.vue'),
    meta: { access: 'public', takesSecret: true, title: 'auth.join' },
  },
  {
    path: '/register',
    name: 'register',
    component: () => import('../features/auth/RegisterPage.vue'),
    meta: { access: 'public', title: 'auth.register' },
  },
  { path: '/', component: () => import('../features/frame/FrameLayout.vue'), children: pages },
];

const takeSecret = (to: RouteLocationNormalized) => {
  if (!to.meta.takesSecret || !to.hash) return true;
  const secret = to.hash.slice(1);
  linkSecret.value = secret;
  // The history entry keeps it over a reload; address bar, copied links and server logs never see it.
  return { name: to.name ?? 'sign-in', query: to.query, hash: '', replace: true, state: { secret } };
};

const checkAccess = async (to: RouteLocationNormalized) => {
  const account = useAccountStore();
  if (to.meta.access === 'public') return true;
  if (!(await account.resume())) return { name: 'sign-in', query: to.fullPath === '/' ? {} : { next: to.fullPath } };
  const adminOnly = to.matched.some((record) => record.meta.access === 'admin');
  return adminOnly && !account.isAdmin ? { name: 'not-found', params: { rest: to.path.slice(1).split('/') } } : true;
};

/**
 * The code of a page did not come: after an upgrade its file has another name, which only a fresh page knows. While the
 * server is away nothing is thrown away for a page that would not come either; the frame says that it is away.
 */
const onMissingPage = async (error: unknown, to: RouteLocationNormalized, isFirst: boolean): Promise<void> => {
  if (isFirst) {
    bootError.value = error;
    return;
  }
  const isThere = await fetch('/health/live', { cache: 'no-store', signal: AbortSignal.timeout(10_000) }).then(
    ({ ok }) => ok,
    () => false,
  );
  if (isThere) location.assign(to.fullPath);
};

export const createAppRouter = (): Router => {
  const router = createRouter({ history: createWebHistory(), routes });
  router.beforeEach(takeSecret);
  router.beforeEach(async (to) => {
    try {
      const verdict = await checkAccess(to);
      bootError.value = null;
      return verdict;
    } catch (error) {
      bootError.value = error;
      return false;
    }
  });
  router.onError((error: unknown, to) => {
    void onMissingPage(error, to, router.currentRoute.value.matched.length === 0);
  });
  return router;
};
