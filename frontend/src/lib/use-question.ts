import { NButton, useDialog } from 'naive-ui';
import { h, type VNodeChild } from 'vue';

export interface Question {
  readonly title: string;
  readonly text: () => VNodeChild;
  /** Words of the button that changes nothing. */
  readonly stay: string;
  /** Words of the button that does it. */
  readonly go: string;
  readonly dangerous: boolean;
  readonly testid: string;
}

/** Asks before something is done; false when the dialog is closed in any other way. */
export const useQuestion = (): ((question: Question) => Promise<boolean>) => {
  const dialog = useDialog();
  return (question) =>
    new Promise((resolve) => {
      const answer = (yes: boolean): void => {
        resolve(yes);
        box.destroy();
      };
      const look = question.dangerous ? { ghost: true, type: 'error' as const } : { type: 'primary' as const };
      const box = dialog.create({
        type: question.dangerous ? 'error' : 'warning',
        showIcon: false,
        title: question.title,
        // Naive UI gives the dialog a role but no name.
        ...{ 'aria-label': question.title },
        content: question.text,
        onAfterLeave: () => resolve(false),
        action: () => [
          h(NButton, { onClick: () => answer(false) }, () => question.stay),
          h(NButton, { ...look, 'data-testid': question.testid, onClick: () => answer(true) }, () => question.go),
        ],
      });
    });
};
