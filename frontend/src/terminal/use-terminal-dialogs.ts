import { useDialog, useMessage } from 'naive-ui';
import { h } from 'vue';
import { useI18n } from 'vue-i18n';
import { copyText } from '../lib/clipboard.ts';
import { CLIPBOARD_MAX_CHARACTERS, ClipboardConsent, type Consent } from './clipboard-consent.ts';
import { lineCount } from './paste.ts';

const PREVIEW_CHARACTERS = 400;
const preview = (text: string) =>
  h(
    'pre',
    { class: 'terminal-preview' },
    text.length > PREVIEW_CHARACTERS ? `${text.slice(0, PREVIEW_CHARACTERS)}…` : text,
  );

/** The questions a terminal asks a person. */
export const useTerminalDialogs = () => {
  const dialog = useDialog();
  const message = useMessage();
  const { t } = useI18n();

  const confirmPaste = (text: string): Promise<boolean> =>
    new Promise((resolve) => {
      dialog.create({
        title: t('terminal.pasteTitle', { lines: lineCount(text) }),
        content: () => [h('p', t('terminal.pasteText')), preview(text)],
        showIcon: false,
        positiveText: t('terminal.paste'),
        negativeText: t('common.cancel'),
        autoFocus: true,
        onPositiveClick: () => resolve(true),
        onAfterLeave: () => resolve(false),
      });
    });

  const askForClipboard = (text: string): Promise<Consent> =>
    new Promise((resolve) => {
      const answer = (consent: Consent) => () => resolve(consent);
      dialog.create({
        title: t('terminal.clipboardTitle', { characters: text.length }),
        content: () => [h('p', t('terminal.clipboardText')), preview(text)],
        showIcon: false,
        positiveText: t('terminal.clipboardOnce'),
        negativeText: t('terminal.clipboardNever'),
        onPositiveClick: answer('once'),
        onNegativeClick: answer('never'),
        onAfterLeave: answer('never'),
      });
    });
  const consent = new ClipboardConsent({ ask: askForClipboard, copy: copyText });
  const writeClipboard = async (text: string): Promise<void> => {
    if (text.length > CLIPBOARD_MAX_CHARACTERS) message.warning(t('terminal.clipboardTooLong'));
    else if (await consent.write(text)) message.success(t('terminal.clipboardDone'));
  };

  return { confirmPaste, writeClipboard };
};
