import type { Agent } from '@sac/contracts';
import { UPLOAD_MAX_BYTES } from '@sac/contracts';
import { useMessage } from 'naive-ui';
import { computed, onScopeDispose, watch } from 'vue';
import { useI18n } from 'vue-i18n';
import { uploadFile } from '../../api/upload.ts';
import { errorLine } from '../../lib/errors.ts';
import { MAX_FILES_AT_ONCE } from './file-path.ts';
import { formatBytes } from './format-bytes.ts';
import { UploadQueue } from './upload-queue.ts';

const running = new Set<Agent['status']['state']>(['ready', 'working', 'waiting']);

/** Files of pastes, drops and the file chooser; each path is handed over when the file is in the workspace. */
export const useUploads = (agent: () => Agent, onPath: (path: string) => void) => {
  const { t } = useI18n();
  const message = useMessage();
  const open = computed(() => running.has(agent().status.state));
  const queue = new UploadQueue({
    send: (file, name, onProgress, signal) => uploadFile(agent().id, file, name, { onProgress, signal }),
    explain: (error) => errorLine(error, t),
    onPath,
  });
  watch(open, (now) => queue.setOpen(now), { immediate: true });
  onScopeDispose(() => queue.close());

  /** False when some were refused; the person has been told why. */
  const add = (files: readonly File[], fromClipboard: boolean): boolean => {
    const refused = queue.add(files, fromClipboard);
    for (const { file } of refused.filter(({ why }) => why === 'tooBig').slice(0, 3)) {
      const values = { name: file.name, size: formatBytes(file.size), max: formatBytes(UPLOAD_MAX_BYTES) };
      message.error(t('input.tooBig', values), { duration: 8000, closable: true });
    }
    const tooMany = refused.filter(({ why }) => why === 'tooMany').length;
    if (tooMany > 0)
      message.error(t('input.tooMany', { n: tooMany, max: MAX_FILES_AT_ONCE }), { duration: 8000, closable: true });
    return refused.length === 0;
  };
  const drop = (data: DataTransfer): void => {
    const dropped = droppedFiles(data);
    if (dropped.folders) message.warning(t('input.folder'), { duration: 8000, closable: true });
    add(dropped.files, false);
  };
  const pending = computed(() => queue.uploads.value.filter(({ state }) => state !== 'failed').length);
  return {
    uploads: queue.uploads,
    open,
    pending,
    add,
    drop,
    remove: (key: number) => queue.remove(key),
    retry: (key: number) => queue.retry(key),
  };
};

/** Files of a drop, and whether folders were among it; a folder would arrive as a file that cannot be read. */
const droppedFiles = (data: DataTransfer): { files: File[]; folders: boolean } => {
  const entries = [...data.items].filter((item) => item.kind === 'file');
  const isFolder = (item: DataTransferItem): boolean => item.webkitGetAsEntry()?.isDirectory === true;
  const files = entries.filter((item) => !isFolder(item)).map((item) => item.getAsFile());
  return { files: files.filter((file) => file !== null), folders: entries.some(isFolder) };
};

/** Files of a paste. A table copied from an office program carries its picture too; its text is what was meant. */
export const pastedFiles = (data: DataTransfer | null): readonly File[] =>
  data === null || data.getData('text/plain') !== '' ? [] : [...data.files];
