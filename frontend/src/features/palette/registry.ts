import { onScopeDispose, shallowReactive, type ComputedRef } from 'vue';
import type { AgentState } from '@sac/contracts';
import type { IconName } from '../../icons/icons.ts';

/** One line of the command palette. */
export interface PaletteItem {
  readonly id: string;
  readonly label: string;
  /** Muted words after the label. */
  readonly hint?: string;
  readonly icon: IconName | { readonly state: AgentState };
  readonly run: () => void;
}

/** Items under one heading. */
export interface PaletteSection {
  readonly title: string;
  readonly items: readonly PaletteItem[];
}

const registered = shallowReactive(new Set<ComputedRef<PaletteSection | null>>());

/** Adds a section while the calling component lives, for example "Actions in Checkout refactor". */
export const usePaletteSection = (section: ComputedRef<PaletteSection | null>): void => {
  registered.add(section);
  onScopeDispose(() => registered.delete(section));
};

export const registeredSections = (): readonly PaletteSection[] =>
  [...registered].map((section) => section.value).filter((section) => section !== null);
