/**
 * Viewers that take whatever comes, in a process of their own so that they do not delay the typist who is measured.
 * Arguments: one route each, as JSON. Prints `open <count>`, and on SIGTERM the bytes they got.
 */
import { TerminalClient, type Route } from '../terminal/terminal-client.ts';

/** Fifty of them: 140 MB/s, what as many `yes` brought through ttyd on two cores. */
const FLOOD = 'flood:2800000';

const clients = process.argv
  .slice(2)
  .map((text) => new TerminalClient({ route: JSON.parse(text) as Route, authToken: FLOOD, onOutput: () => undefined }));

process.on('SIGTERM', () => {
  console.log(`bytes ${clients.reduce((sum, client) => sum + client.outputBytes, 0)}`);
  process.exit(0);
});
await Promise.all(clients.map((client) => client.opened));
console.log(`open ${clients.length}`);
