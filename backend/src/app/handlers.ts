export type * from '../lib/handlers.ts';
