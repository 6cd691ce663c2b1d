import { text } from 'node:stream/consumers';
import { SupervisorConfig } from '@sac/contracts';
import { Compile } from 'typebox/compile';
import { Supervisor } from '../supervisor/supervisor.ts';

/**
 * One detached process per sandbox. Its configuration comes on stdin. SIGTERM ends the sandbox and everything
 * in it; so does the death of this process. Exit code 0: asked to stop; 1: failed, status and log say why.
 */
const config = Compile(SupervisorConfig).Parse(JSON.parse(await text(process.stdin)));
const supervisor = new Supervisor(config);

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => supervisor.stop());
// The terminal or service manager that started the server may go; the sandbox stays.
process.on('SIGHUP', () => undefined);
process.on('uncaughtException', (error) => {
  process.stderr.write(`${error.stack ?? error.message}\n`);
  supervisor.kill();
  process.exit(1);
});

const failure = await supervisor.run();
process.exit(failure === null ? 0 : 1);
