import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import type { CommandResult, CommandStreamLine, SandboxCommand } from '@sac/contracts';

/** The far end of the internal listener: reads the command stream over a real connection and answers as it is told. */
export interface TestSidecar {
  readonly commands: SandboxCommand[];
  readonly heartbeats: () => number;
  readonly ended: Promise<void>;
  answer(commandId: string, result: CommandResult): Promise<number>;
  /** Answers every command as soon as it arrives. */
  answerAll(decide: (command: SandboxCommand) => CommandResult | Promise<CommandResult>): void;
  fetchUpload(uploadId: string): Promise<{ status: number; bytes: Buffer }>;
  disconnect(): void;
}

export const connectSidecar = async (baseUrl: string, headers: { authorization: string }): Promise<TestSidecar> => {
  const commands: SandboxCommand[] = [];
  let heartbeats = 0;
  let decide: ((command: SandboxCommand) => CommandResult | Promise<CommandResult>) | null = null;

  const answer = async (commandId: string, result: CommandResult): Promise<number> => {
    const response = await fetch(`${baseUrl}/internal/commands/${commandId}/result`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(result),
    });
    await response.text();
    return response.status;
  };

  const { outgoing, incoming } = await new Promise<{ outgoing: ClientRequest; incoming: IncomingMessage }>(
    (resolve, reject) => {
      const sent = request(`${baseUrl}/internal/commands`, { headers, agent: false }, (response) => {
        if (response.statusCode === 200) resolve({ outgoing: sent, incoming: response });
        else reject(new Error(`status ${response.statusCode}`));
      });
      sent.on('error', reject);
      sent.end();
    },
  );
  incoming.on('error', () => undefined);
  const ended = new Promise<void>((resolve) => incoming.on('close', resolve));
  const lines = createInterface({ input: incoming });
  lines.on('error', () => undefined);
  lines.on('line', (text) => {
    const line = JSON.parse(text) as CommandStreamLine;
    if (line.kind === 'heartbeat') heartbeats += 1;
    else {
      commands.push(line);
      if (decide) void Promise.resolve(decide(line)).then((result) => answer(line.id, result));
    }
  });

  return {
    commands,
    heartbeats: () => heartbeats,
    ended,
    answer,
    answerAll: (how) => {
      decide = how;
    },
    fetchUpload: async (uploadId) => {
      const response = await fetch(`${baseUrl}/internal/uploads/${uploadId}`, { headers });
      return { status: response.status, bytes: Buffer.from(await response.arrayBuffer()) };
    },
    disconnect: () => outgoing.destroy(),
  };
};

export const done: CommandResult = { outcome: 'done', reason: null };
