import type { Logger } from 'pino';
import type { CliList } from '../app/gateway-deps.ts';
import type { Config } from '../config/config.ts';
import type { Runtime } from '../runtimes/runtime.ts';
import type { Layout } from './layout.ts';

/** Runtimes are chosen by the entrypoint; this is what one machine offers them. */
export interface RuntimeFactory {
  (options: { readonly layout: Layout; readonly config: Config; readonly logger: Logger }): {
    readonly runtime: Runtime;
    readonly clis: CliList;
  };
}
