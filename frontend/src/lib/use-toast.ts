import { useMessage, useNotification } from 'naive-ui';
import { h } from 'vue';
import { useI18n } from 'vue-i18n';
import CopyButton from '../components/CopyButton.vue';
import { describeError, isAbort } from './errors.ts';

/** Toasts at the bottom right: `done` says that it worked, `failed` stays until it was read and offers the request id. */
export const useToast = () => {
  const message = useMessage();
  const notification = useNotification();
  const { t } = useI18n();
  return {
    done: (text: string): void => {
      message.success(text);
    },
    failed: (title: string, error: unknown): void => {
      if (isAbort(error)) return;
      const { message, detail, requestId } = describeError(error, t);
      notification.error({
        title,
        content: () => [message, ...(detail ? [h('div', { class: 's12 muted', lang: 'en' }, detail)] : [])],
        ...(requestId
          ? {
              meta: () =>
                h('span', { class: 'row g4 s12 muted' }, [
                  h('code', { class: 's12' }, requestId),
                  h(CopyButton, { text: requestId, label: t('common.copyRequestId') }),
                ]),
            }
          : {}),
      });
    },
  };
};
