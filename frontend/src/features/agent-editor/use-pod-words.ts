import type { PodValueName } from '@sac/contracts';
import { useI18n } from 'vue-i18n';
import { bytesInWords, cores } from '../../lib/quantity.ts';

/** "registry.example/team/sac-agent:1" without its place, and a digest short: what tells images apart in a narrow line. */
const shortImage = (image: string): string =>
  image.replace(/^.*\//u, '').replace(/@sha256:([0-9a-f]{8})[0-9a-f]*$/u, '@$1…');

/** Values of a sandbox as people say them. */
export const usePodWords = () => {
  const { t } = useI18n();
  const amount = (name: PodValueName, text: string): string => {
    if (!name.startsWith('cpu')) return bytesInWords(text);
    const n = cores(text);
    return n === null ? text : t('editor.cores', { n }, n === 1 ? 1 : 2);
  };
  const value = (name: PodValueName, text: string | null): string => {
    if (text === null) return t(name === 'runtimeClass' ? 'editor.podClusterDefault' : 'editor.podUnlimited');
    if (name === 'egress') return t(`editor.egress_${text}`);
    if (name === 'image') return shortImage(text);
    return name === 'runtimeClass' ? text : amount(name, text);
  };
  return { amount, value };
};
