import type { InjectionKey } from 'vue';

/** Opens the search of the terminal in front; provided by the page that shows it. */
export const openSearchKey: InjectionKey<() => void> = Symbol('open search');
