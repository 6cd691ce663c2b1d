import type { ErrorCode } from '@sac/contracts';
import { Histogram } from './histogram.ts';

export const upstreamFailures = ['policy', 'connect', 'timeout', 'refused', 'malformed', 'aborted'] as const;
export type UpstreamFailure = (typeof upstreamFailures)[number];

/** Counters of one relay. Plain numbers: they are touched for every chunk that passes. */
export class RelayMetrics {
  connectionsOpen = 0;
  connectionsOpened = 0;
  bytesToClient = 0;
  bytesToUpstream = 0;
  /** Reads put off because the connection floods. */
  pacedReads = 0;
  /** Reads put off because their person's share of a turn was used up while others waited. */
  budgetWaits = 0;
  readonly echo = new Histogram();
  endedIdle = 0;
  endedStalled = 0;
  /** Cut because their browser session ended. */
  endedRevoked = 0;
  /** Cut because nobody could say any more whose browser session had ended. */
  endedUncertain = 0;
  readonly refusals = new Map<ErrorCode, number>();
  readonly upstreamErrors = new Map<UpstreamFailure, number>();

  countRefusal(code: ErrorCode): void {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
  }

  countUpstreamError(failure: UpstreamFailure): void {
    this.upstreamErrors.set(failure, (this.upstreamErrors.get(failure) ?? 0) + 1);
  }
}

type Sample = readonly [labels: string, value: number];

export const family = (name: string, kind: 'counter' | 'gauge', help: string, samples: Iterable<Sample>): string =>
  [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${kind}`,
    ...[...samples].map(([labels, value]) => `${name}${labels} ${value}`),
  ].join('\n');

const labelled = (label: string, counts: ReadonlyMap<string, number>): Sample[] =>
  [...counts].map(([value, count]) => [`{${label}="${value}"}`, count]);

/** Prometheus text format. */
export const metricsText = (metrics: RelayMetrics): string => {
  const families = [
    family('sac_ws_connections', 'gauge', 'Terminal connections open now', [['', metrics.connectionsOpen]]),
    family('sac_ws_connections_total', 'counter', 'Terminal connections opened', [['', metrics.connectionsOpened]]),
    family('sac_ws_bytes_total', 'counter', 'Bytes relayed', [
      ['{direction="to_client"}', metrics.bytesToClient],
      ['{direction="to_upstream"}', metrics.bytesToUpstream],
    ]),
    family('sac_ws_paced_reads_total', 'counter', 'Reads put off because a connection floods', [
      ['', metrics.pacedReads],
    ]),
    family('sac_ws_budget_waits_total', 'counter', 'Reads put off in favour of other people', [
      ['', metrics.budgetWaits],
    ]),
    [
      '# HELP sac_ws_echo_seconds Time from input into a quiet terminal to its next output, as seen by ws-proxy',
      '# TYPE sac_ws_echo_seconds histogram',
      ...metrics.echo.lines('sac_ws_echo_seconds'),
    ].join('\n'),
    family('sac_ws_ended_total', 'counter', 'Connections ended by the relay', [
      ['{reason="idle"}', metrics.endedIdle],
      ['{reason="stalled"}', metrics.endedStalled],
      ['{reason="signed_out"}', metrics.endedRevoked],
      ['{reason="sign_outs_unknown"}', metrics.endedUncertain],
    ]),
    family('sac_ws_refusals_total', 'counter', 'Handshakes refused', labelled('code', metrics.refusals)),
    family(
      'sac_ws_upstream_errors_total',
      'counter',
      'Terminal servers that could not be reached',
      labelled('kind', metrics.upstreamErrors),
    ),
    family('sac_ws_resident_memory_bytes', 'gauge', 'Resident memory of ws-proxy', [['', process.memoryUsage.rss()]]),
  ];
  return `${families.join('\n')}\n`;
};
