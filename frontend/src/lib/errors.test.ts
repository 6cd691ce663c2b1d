import { errorCodes, type AgentFailure } from '@sac/contracts';
import { afterEach, describe, expect, it } from 'vitest';
import { ApiError } from '../api/api-error.ts';
import { i18n } from '../locales/index.ts';
import zh from '../locales/zh.ts';
import { describeError, errorLine } from './errors.ts';
import { describeFailure } from './failure.ts';

const { t } = i18n.global;
const refused = new ApiError({
  code: 'limit_reached',
  message: '10 agents are the most you may have. Delete one first.',
  requestId: 'r-1',
  status: 409,
});
const failure: AgentFailure = {
  code: 'cli_install_failed',
  reason: 'The package registry cannot be reached: Claude Code could not be installed.',
  fix: 'Check the network settings of npm.',
  output: null,
};
const speakChinese = (): void => {
  i18n.global.setLocaleMessage('zh', zh);
  i18n.global.locale.value = 'zh';
};

describe('words for failures', () => {
  afterEach(() => {
    i18n.global.locale.value = 'en';
  });

  it('are the sentence of the server on a page in English', () => {
    expect(describeError(refused, t)).toEqual({ message: refused.message, detail: '', requestId: 'r-1' });
    expect(describeFailure(failure, t)).toMatchObject({ short: failure.reason, fix: { message: failure.fix } });
  });

  it('say in another language what the code means, with the sentence of the server as detail', () => {
    speakChinese();
    expect(describeError(refused, t)).toEqual({ message: '已达到上限。', detail: refused.message, requestId: 'r-1' });
    expect(errorLine(refused, t)).toBe(`已达到上限。 (${refused.message})`);
    expect(describeFailure(failure, t)).toMatchObject({
      title: '无法安装智能体程序',
      short: '无法安装智能体程序',
      reason: failure.reason,
      fix: { message: '请检查服务器的网络、代理和软件包仓库，然后重新启动智能体。', detail: failure.fix },
    });
  });

  it('exist for every code of the server in every language', () => {
    speakChinese();
    for (const locale of ['en', 'zh']) {
      i18n.global.locale.value = locale;
      expect(errorCodes.filter((code) => !i18n.global.te(`errors.code.${code}`))).toEqual([]);
    }
  });

  it('name a problem of a field once, and keep what only the page knows', () => {
    const fields = [
      { path: '/name', message: 'must have at most 60 characters' },
      { path: '/icon', message: 'is not known' },
    ];
    const message = 'The body is not valid: /name must have at most 60 characters.';
    const invalid = new ApiError({ code: 'invalid_request', message, details: { fields }, status: 400 });
    expect(describeError(invalid, t).message).toBe(`${message} icon: is not known`);
    speakChinese();
    const own = new ApiError({ code: 'unavailable', message: '录像已结束。' });
    expect(describeError(own, t)).toMatchObject({ message: '录像已结束。', detail: '' });
    const newer = describeFailure({ ...failure, code: 'of_a_newer_server' }, t);
    expect(newer).toMatchObject({ title: '智能体无法启动', short: failure.reason, fix: { message: failure.fix } });
  });
});
