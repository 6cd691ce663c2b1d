import { computed, type ComputedRef } from 'vue';
import { useI18n } from 'vue-i18n';
import { useRouter } from 'vue-router';
import { activityLine } from '../../lib/activity.ts';
import { useNow } from '../../lib/time.ts';
import { useAccountStore } from '../../stores/account.ts';
import { useAgentsStore } from '../../stores/agents.ts';
import { useUiStore } from '../../stores/ui.ts';
import { useBeside } from '../../stores/use-beside.ts';
import { registeredSections, type PaletteItem, type PaletteSection } from './registry.ts';

/** Everything that can be jumped to or done: agents, actions of the open page, pages, general actions. */
export const usePaletteSections = (): ComputedRef<readonly PaletteSection[]> => {
  const { t, locale } = useI18n();
  const router = useRouter();
  const agents = useAgentsStore();
  const account = useAccountStore();
  const ui = useUiStore();
  const beside = useBeside();
  const now = useNow();

  const agentItems = computed<PaletteItem[]>(() =>
    agents.agents.map((agent) => {
      const line = activityLine(agent, now.value, t, locale.value);
      return {
        id: `agent:${agent.id}`,
        label: agent.name,
        hint: `${line.word}${line.separator}${line.detail}`,
        icon: { state: agent.status.state },
        run: () => void router.push(beside.placeOf(agent.id)),
      };
    }),
  );

  const page = (name: string, label: string, icon: Extract<PaletteItem['icon'], string>): PaletteItem => ({
    id: `page:${name}`,
    label,
    icon,
    run: () => void router.push({ name }),
  });
  const pageItems = computed<PaletteItem[]>(() => [
    page('home', t('home.title'), 'robot'),
    page('profile', t('frame.profile'), 'user'),
    page('password', t('frame.password'), 'key'),
    page('sessions', t('frame.sessions'), 'monitor'),
    ...(account.isAdmin
      ? [
          page('admin-users', `${t('frame.admin')}: ${t('admin.users')}`, 'users'),
          page('admin-settings', `${t('frame.admin')}: ${t('admin.settings')}`, 'sliders'),
        ]
      : []),
  ]);

  const actionItems = computed<PaletteItem[]>(() => {
    const other = ui.theme === 'dark' ? 'light' : 'dark';
    const otherName = t(other === 'dark' ? 'frame.themeDark' : 'frame.themeLight');
    return [
      {
        id: 'action:new-agent',
        label: t('frame.newAgent'),
        icon: 'plus',
        run: () => void router.push({ name: 'agent-new' }),
      },
      {
        id: 'action:theme',
        label: t('palette.toggleTheme', { theme: otherName }),
        icon: other === 'dark' ? 'moon' : 'sun',
        run: () => (ui.themeChoice = other),
      },
      ...(ui.phone
        ? []
        : [
            {
              id: 'action:rail',
              label: t('palette.collapseRail'),
              icon: 'sidebar' as const,
              run: () => (ui.railCollapsed = !ui.railCollapsed),
            },
          ]),
      { id: 'action:shortcuts', label: t('frame.shortcuts'), icon: 'keyboard', run: () => (ui.shortcutsOpen = true) },
      {
        id: 'action:sign-out',
        label: t('frame.signOut'),
        icon: 'sign-out',
        run: () => void account.signOut().catch(() => undefined),
      },
    ];
  });

  return computed(() => [
    { title: t('palette.agents'), items: agentItems.value },
    ...registeredSections(),
    { title: t('palette.pages'), items: pageItems.value },
    { title: t('palette.actions'), items: actionItems.value },
  ]);
};
