/**
 * A far end without a PTY: answers the upgrade and plays the script named by `AuthToken` in the hello. Frames are as
 * small as a PTY makes them (4,095 bytes of output, one write each) and made once. Prints its port.
 *
 * - `flood`: output for as long as the viewer takes it; `flood:<bytes per second>`: at most so much.
 * - `paced:<bytes>:<intervalMs>:<durationMs>`: from the first input on, so many bytes each interval, for so long; then says
 *   the total in a title.
 * - `echo`: what is typed comes back.
 */
import { createHash } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { clientFrame, serverFrame } from '@sac/contracts';
import { frameOf, FrameReader } from '../terminal/frame-reader.ts';
import { PATTERN_BYTES, patternAt, PTY_READ_BYTES } from '../terminal/pattern.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** Written without waiting for the socket, as a PTY's reader would find it when it comes back. */
const BURST_FRAMES = 8;

const outputFrame = (offset: number, length: number): Buffer =>
  frameOf(Buffer.concat([Buffer.of(serverFrame.output), patternAt(offset, length)]), { masked: false });

const frames = new Map<string, Buffer>();
/** Each frame is made once per place in the pattern. */
const cachedFrame = (offset: number, length: number): Buffer => {
  const key = `${offset % PATTERN_BYTES}:${length}`;
  let frame = frames.get(key);
  if (frame === undefined) {
    frame = outputFrame(offset, length);
    if (frames.size < 8_192) frames.set(key, frame);
  }
  return frame;
};

const flood = (socket: Socket): void => {
  let offset = 0;
  const go = (): void => {
    if (socket.destroyed) return;
    for (let index = 0; index < BURST_FRAMES; index += 1) {
      const taken = socket.write(cachedFrame(offset, PTY_READ_BYTES));
      offset += PTY_READ_BYTES;
      if (!taken) {
        socket.once('drain', go);
        return;
      }
    }
    setImmediate(go);
  };
  go();
};

const FLOOD_TICK_MS = 4;

/** As much as a program that writes without end gets through a PTY when many do; what the viewer does not take is not made up for. */
const limitedFlood = (socket: Socket, bytesPerSecond: number): void => {
  let offset = 0;
  let dueBytes = 0;
  const timer = setInterval(() => {
    dueBytes = Math.min(dueBytes + (bytesPerSecond * FLOOD_TICK_MS) / 1_000, bytesPerSecond / 10);
    while (dueBytes >= PTY_READ_BYTES && socket.writableLength === 0 && !socket.destroyed) {
      socket.write(cachedFrame(offset, PTY_READ_BYTES));
      offset += PTY_READ_BYTES;
      dueBytes -= PTY_READ_BYTES;
    }
  }, FLOOD_TICK_MS);
  socket.once('close', () => clearInterval(timer));
};

interface Pace {
  readonly byteCount: number;
  readonly intervalMs: number;
  readonly durationMs: number;
}

const paced = (socket: Socket, { byteCount, intervalMs, durationMs }: Pace): void => {
  let offset = 0;
  const startedAtMs = performance.now() + Math.random() * intervalMs;
  let turn = 0;
  const go = (): void => {
    if (socket.destroyed) return;
    if (turn * intervalMs >= durationMs) {
      socket.write(frameOf(Buffer.from(`1total ${offset}`), { masked: false }));
      return;
    }
    socket.write(cachedFrame(offset, byteCount));
    offset += byteCount;
    turn += 1;
    setTimeout(go, Math.max(0, startedAtMs + turn * intervalMs - performance.now()));
  };
  setTimeout(go, startedAtMs - performance.now());
};

const isStartedByInput = (script: string): boolean => script.startsWith('paced:');

const play = (socket: Socket, script: string): void => {
  const [name, byteCount = 0, intervalMs = 0, durationMs = 0] = script
    .split(':')
    .map((part, index) => (index === 0 ? part : Number(part))) as [string, number, number, number];
  if (name === 'flood') {
    if (byteCount > 0) limitedFlood(socket, byteCount);
    else flood(socket);
  } else if (name === 'paced') paced(socket, { byteCount, intervalMs, durationMs });
};

const serveFrames = (socket: Socket): FrameReader => {
  let hello = '';
  let input: Buffer[] = [];
  let waitingScript: string | null = null;
  return new FrameReader({
    onPayload: (type, piece) => {
      if (type === clientFrame.hello) hello += Buffer.from(piece).toString('utf8');
      else if (type === clientFrame.input) input.push(Buffer.from(piece));
    },
    onFrameEnd: (type) => {
      if (type === clientFrame.hello) {
        const script = (JSON.parse(`{${hello}`) as { AuthToken: string }).AuthToken;
        if (isStartedByInput(script)) waitingScript = script;
        else play(socket, script);
      } else if (type === clientFrame.input && waitingScript !== null) {
        play(socket, waitingScript);
        waitingScript = null;
      } else if (type === clientFrame.input)
        socket.write(frameOf(Buffer.concat([Buffer.of(serverFrame.output), ...input]), { masked: false }));
      input = [];
    },
    onPing: () => undefined,
    onClose: () => socket.end(),
  });
};

const server = createServer({ noDelay: true }, (socket) => {
  let head = '';
  let reader: FrameReader | null = null;
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    if (reader !== null) {
      reader.push(chunk);
      return;
    }
    head += chunk.toString('latin1');
    const end = head.indexOf('\r\n\r\n');
    if (end === -1) return;
    const key = /^sec-websocket-key: *(\S+)/im.exec(head)?.[1] ?? '';
    const accept = createHash('sha1')
      .update(key + GUID)
      .digest('base64');
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: tty\r\n\r\n`,
    );
    reader = serveFrames(socket);
    reader.push(Buffer.from(head.slice(end + 4), 'latin1'));
  });
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () => {
  console.log(`listening on ${(server.address() as AddressInfo).port}`);
});
