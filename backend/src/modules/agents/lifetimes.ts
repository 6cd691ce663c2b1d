/** A deleted agent goes on running this long: undo then loses nothing. The browser offers undo for 10 s. */
export const UNDO_WINDOW_MS = 15_000;
/** A deleted agent, with home and workspace, can be restored this long. */
export const DELETION_GRACE_MS = 7 * 24 * 60 * 60_000;

/** How long a sandbox has to end by itself before it is ended. */
export const STOP_GRACE_MS = 10_000;
