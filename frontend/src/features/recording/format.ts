const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

const twoDigits = (value: number): string => String(value).padStart(2, '0');

/** `4:07`, or `1:04:07` from an hour on. */
export const clockText = (ms: number): string => {
  const whole = Math.max(0, ms);
  const minutes = Math.floor((whole % HOUR_MS) / MINUTE_MS);
  const seconds = twoDigits(Math.floor((whole % MINUTE_MS) / SECOND_MS));
  const hours = Math.floor(whole / HOUR_MS);
  return hours === 0 ? `${minutes}:${seconds}` : `${hours}:${twoDigits(minutes)}:${seconds}`;
};

/** Name for a downloaded file: nothing that a file system would take for more than a name. */
export const castFileName = (agent: string, terminal: string, startedAtMs: number): string => {
  const name =
    agent
      .replace(/[^\p{L}\p{N}_-]+/gu, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 60) || 'agent';
  const when = new Date(startedAtMs).toISOString().slice(0, 16).replace(/[:T]/g, '-');
  return `${name}-${terminal}-${when}.cast`;
};
