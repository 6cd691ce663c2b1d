/** How long a browser offers to take a deletion back. */
export const UNDO_OFFERED_MS = 10_000;
/** A deleted agent goes on running this long, so that undo loses nothing: what is offered, and time for the request. */
export const UNDO_WINDOW_MS = 15_000;
/** The rows, home and workspace of a deleted agent are kept this long, then erased; until then it can be restored. */
export const DELETION_GRACE_MS = 7 * 24 * 60 * 60_000;

/** How long a sandbox has to end by itself before it is ended. */
export const STOP_GRACE_MS = 10_000;
