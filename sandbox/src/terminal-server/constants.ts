import { limits } from '@sac/contracts';

/** Everything the terminal server bounds, once. Protocol limits come from the contracts. */
export const bounds = {
  ...limits,
  /** Size of a terminal until an owner sets one. */
  defaultColumns: 120,
  defaultRows: 36,
  scrollbackLines: 1_000,
  /** PTY reads are merged for at most this long, or until a frame is full. */
  coalesceMs: 4,
  coalesceBytes: 64 * 1024,
  /** Output that follows input within this time goes out at once, so that echo is never delayed. */
  echoWindowMs: 20,
  /** Largest output frame sent from the tail, and largest piece of a snapshot. */
  replayFrameBytes: 64 * 1024,
  /** Below `unacknowledgedBytes`, because a snapshot counts as one unacknowledged whole. */
  snapshotBytes: 448 * 1024,
  /** A screen at the start of a recorded segment: the last lines above it are enough. */
  keyframeBytes: 48 * 1024,
  snapshotTimeoutMs: 20_000,
  modelBatchBytes: 64 * 1024,
  modelBatchMs: 10,
  modelLagBytes: 4 * 1024 * 1024,
  /** Less lag while a snapshot is due, so that the tail still holds all that follows it. */
  modelLagDuringSnapshotBytes: 2 * 1024 * 1024,
  pendingSequenceBytes: 64 * 1024,
  allBehindMs: 2_000,
  ownerGraceMs: 30_000,
  inputQueueBytes: 1024 * 1024,
  inputHighWaterBytes: 512 * 1024,
  inputLowWaterBytes: 128 * 1024,
  resizeIntervalMs: 50,
  sizeEvents: 4_096,
  stateIntervalMs: 50,
  titleIntervalMs: 100,
  foregroundIntervalMs: 1_000,
  pingIntervalMs: 30_000,
  pongTimeoutMs: 120_000,
  /** How long viewers may take to read the rest after the process has ended. */
  farewellMs: 10_000,
  endedTailMs: 60_000,
  toleratedViolations: 16,
  connections: 1_024,
  /** With those that have said nothing yet; what is more is closed at once. */
  sockets: 2_048,
  usedTokens: 20_000,
  tokenLifetimeSeconds: 300,
  /** The clocks of nodes differ. A token opens one connection whenever it comes, and ws-proxy has been strict before. */
  clockToleranceSeconds: 305,
  hangUpGraceMs: 2_000,
  exitDrainMs: 100,
  exitDrainTotalMs: 1_000,
  outputTextBytes: 8 * 1024,
} as const;
