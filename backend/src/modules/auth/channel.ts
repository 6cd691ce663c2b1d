/** NOTIFY channel; payload: the id of a user some of whose browser sessions have ended. */
export const AUTH_CHANNEL = 'sac_auth';
