import type { Figure } from '../figures.ts';
import { direct } from '../terminal/parts.ts';
import { medianOf, sleep, spread } from '../terminal/statistics.ts';
import { PATTERN_BYTES, patternAt } from '../terminal/pattern.ts';
import { transferFile } from '../terminal/throughput.ts';
import type { TestClient } from '../../sandbox/src/terminal-server/testing/test-client.ts';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TerminalServer } from './server.ts';
import { settings } from './settings.ts';

const MEBIBYTE = 1024 ** 2;
const SAMPLE_MS = 100;
const SETTLE_MS = 3_000;

/** Highest resident size while `work` runs. */
export const peakWhile = async (server: TerminalServer, work: Promise<unknown>): Promise<number> => {
  let peakBytes = server.process.residentBytes;
  const timer = setInterval(() => (peakBytes = Math.max(peakBytes, server.process.residentBytes)), SAMPLE_MS);
  try {
    await work;
  } finally {
    clearInterval(timer);
  }
  return peakBytes;
};

/** CPU of a gigabyte of output, screen model included. */
export const costFigures = async (): Promise<Figure[]> => {
  const directory = mkdtempSync(join(tmpdir(), 'sac-bench-'));
  const file = join(directory, 'output');
  const whole = Buffer.alloc(settings.transferBytes);
  for (let at = 0; at < whole.length; at += PATTERN_BYTES)
    patternAt(at, Math.min(PATTERN_BYTES, whole.length - at)).copy(whole, at);
  writeFileSync(file, whole);
  const server = await TerminalServer.start(`stty -opost -echo; while read -r line; do cat ${file}; done`);
  try {
    const runs = [];
    for (let run = 0; run < settings.transferRuns; run += 1)
      runs.push(await transferFile(direct, server.farEnd, settings.transferBytes));
    const costs = runs.map((run) => run.farEndCpuPerGigabyte);
    const speeds = runs.map((run) => run.megabytesPerSecond);
    return [
      {
        name: 'terminal server CPU per GB, screen model included',
        value: medianOf(costs),
        unit: 'CPU-s',
        digits: 1,
        atMost: 40,
        conditions: `${settings.transferBytes / 1e6} MB compared byte for byte, ${spread(costs)}; ${spread(speeds, 0)} MB/s`,
      },
    ];
  } finally {
    await server.end();
    rmSync(directory, { recursive: true, force: true });
  }
};

/** Resident memory with one idle terminal and with all sixteen. */
export const memoryFigures = async (): Promise<Figure[]> => {
  const server = await TerminalServer.start('PS1="$ " exec sh -i');
  try {
    await sleep(SETTLE_MS);
    const oneBytes = server.process.residentBytes;
    const furtherCount = 15;
    for (let index = 0; index < furtherCount; index += 1) await server.openShell();
    await sleep(SETTLE_MS);
    const eachBytes = (server.process.residentBytes - oneBytes) / furtherCount;
    return [
      {
        name: 'terminal server with one idle terminal',
        value: oneBytes / MEBIBYTE,
        unit: 'MiB resident',
        atMost: 110,
        conditions: '3 s after start, nobody watches',
      },
      {
        name: 'each further terminal',
        value: eachBytes / MEBIBYTE,
        unit: 'MiB resident',
        digits: 2,
        atMost: 5,
        conditions: '15 more, 3 s later',
      },
    ];
  } finally {
    await server.end();
  }
};

/** A gigabyte typed at a program that reads late, and a line that does not end. */
export const floodFigures = async (): Promise<Figure[]> => {
  const { inputBytes, lineBytes } = settings;
  const server = await TerminalServer.start(
    `stty raw -echo; printf READY; sleep 5; head -c ${inputBytes} | wc -c; printf DONE; head -c 2 > /dev/null; ` +
      `head -c ${lineBytes} /dev/zero | tr '\\0' x; printf END; sleep 1000`,
  );
  const client = server.connect('main');
  try {
    await client.untilText('READY');
    await sleep(1_000);
    const beforeBytes = server.process.residentBytes;
    const startedAtMs = performance.now();
    const done = typeMuch(client, inputBytes).then(() => client.untilText('DONE', 900_000));
    const inputPeak = (await peakWhile(server, done)) - beforeBytes;
    const inputSeconds = (performance.now() - startedAtMs - 5_000) / 1_000;
    if (!client.recentText.includes(String(inputBytes))) throw new Error(`input was lost: ${client.recentText}`);
    const lineBefore = client.offset;
    client.type('go');
    const linePeak = (await peakWhile(server, client.untilText('END', 120_000))) - beforeBytes;
    if (client.offset - lineBefore !== lineBytes + 3)
      throw new Error(`${client.offset - lineBefore} bytes of the line`);
    return [
      {
        name: 'terminal server under a flood of input',
        value: inputPeak / MEBIBYTE,
        unit: 'MiB more',
        digits: 1,
        atMost: 32,
        conditions: `${inputBytes / 1e6} MB typed, the program reads nothing for 5 s; all arrived, ${(inputBytes / 1e6 / inputSeconds).toFixed(0)} MB/s`,
      },
      {
        name: 'terminal server under one line without an end',
        value: linePeak / MEBIBYTE,
        unit: 'MiB more',
        digits: 1,
        atMost: 64,
        conditions: `${lineBytes / 1e6} MB, all arrived, screen model and tail included`,
      },
    ];
  } finally {
    client.cut();
    await server.end();
  }
};

const PIECE_BYTES = 32 * 1024;
const CLIENT_BUFFER_BYTES = 4 * MEBIBYTE;

/** Types without piling everything up in this process. */
const typeMuch = async (client: TestClient, byteCount: number): Promise<void> => {
  const piece = Buffer.alloc(PIECE_BYTES, 'the quick brown fox jumps over the lazy dog\n');
  for (let sent = 0; sent < byteCount; sent += PIECE_BYTES) {
    while (client.socket.bufferedAmount > CLIENT_BUFFER_BYTES) await sleep(1);
    client.send({ type: 'input', data: piece.subarray(0, Math.min(PIECE_BYTES, byteCount - sent)) });
  }
};

/** `yes` for a minute: memory, and how soon Ctrl+C is over. */
export const yesFigures = async (): Promise<Figure[]> => {
  const server = await TerminalServer.start(
    `trap : INT; stty -echo; printf READY; while read -r line; do yes; printf "\\nSTOPPED\\n"; done`,
  );
  const client = server.connect('main');
  client.onMessage = (message) => {
    // Only the newest output is looked at; a minute of it would fill this process.
    if (message.type === 'output' && client.output.length > 1_000) client.output.splice(0, 900);
  };
  try {
    await client.untilText('READY');
    client.type('\n');
    await sleep((settings.floodSeconds * 1_000) / 6);
    const earlyBytes = server.process.residentBytes;
    const peakBytes = await peakWhile(server, sleep((settings.floodSeconds * 1_000 * 5) / 6));
    const times: number[] = [];
    for (let round = 0; round < settings.interrupts; round += 1) {
      client.output.length = 0;
      const startedAtMs = performance.now();
      client.type('\x03');
      await client.untilText('STOPPED');
      times.push(performance.now() - startedAtMs);
      client.type('\n');
      await sleep(300);
    }
    return [
      {
        name: 'terminal server during `yes`, growth of memory',
        value: (peakBytes - earlyBytes) / MEBIBYTE,
        unit: 'MiB',
        digits: 1,
        atMost: 8,
        conditions: `peak of ${settings.floodSeconds} s against the first sixth of them; ${(earlyBytes / MEBIBYTE).toFixed(0)} MiB then`,
      },
      {
        name: 'Ctrl+C during `yes` to the last byte of it, worst',
        value: Math.max(...times),
        unit: 'ms',
        atMost: 200,
        conditions: `${times.length} times, median ${medianOf(times).toFixed(0)} ms, client without a screen`,
      },
    ];
  } finally {
    client.cut();
    await server.end();
  }
};
