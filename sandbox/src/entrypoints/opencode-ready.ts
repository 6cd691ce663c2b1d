import { createTeller, HOOK_SOCKET_VARIABLE } from '../hooks/tell.ts';

/**
 * Plugin of opencode's terminal part: it is started when the terminal is drawn, which takes seconds after the
 * program has begun to read keys. What is typed before that is lost.
 */
export default {
  id: 'sac.ready',
  tui: (): Promise<void> => {
    createTeller('opencode', process.env[HOOK_SOCKET_VARIABLE])({ hook_event_name: 'SessionStart', source: 'startup' });
    return Promise.resolve();
  },
};
