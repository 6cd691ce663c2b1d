import { startDemoModel } from '../demo-model/server.ts';

/**
 * The scripted model of `make start DEMO=1`. `SAC_DEMO_MODEL_PORT` picks the port (default: any free one),
 * `SAC_DEMO_MODEL_HOST` the address (default: 127.0.0.1; in a pod of its own, all). Prints
 * `{"url":"http://127.0.0.1:PORT"}` when it listens; ends on SIGTERM only: a model does not go away when
 * the server that told agents about it crashes.
 */
const port = Number(process.env['SAC_DEMO_MODEL_PORT'] ?? '0');
const model = await startDemoModel({
  port: Number.isInteger(port) && port >= 0 && port < 65_536 ? port : 0,
  host: process.env['SAC_DEMO_MODEL_HOST'] || '127.0.0.1',
});
const stop = (): void => {
  model.close().then(
    () => process.exit(0),
    () => process.exit(1),
  );
};
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
process.stdout.write(`${JSON.stringify({ url: model.url })}\n`);
