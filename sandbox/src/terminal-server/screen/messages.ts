import type { Size } from '@sac/contracts';
import type { ScreenText } from './screen-model.ts';

/** How far a model has come: its next byte, its size, and the first size change it has not seen. */
export interface Place {
  readonly offset: number;
  readonly size: Size;
  readonly nextSequence: number;
}

/** Main thread → worker. Handled strictly in order, so an answer reflects everything written before the question. */
export type ToWorker =
  | { readonly kind: 'open'; readonly id: number; readonly place: Place }
  | { readonly kind: 'write'; readonly id: number; readonly data: Uint8Array }
  | { readonly kind: 'resize'; readonly id: number; readonly size: Size; readonly nextSequence: number }
  | { readonly kind: 'ask'; readonly id: number; readonly request: number; readonly question: Question }
  | { readonly kind: 'close'; readonly id: number };

export type Question =
  | { readonly what: 'snapshot'; readonly maxBytes: number }
  | { readonly what: 'screen' }
  | { readonly what: 'text'; readonly maxBytes: number };

export type Answer =
  | { readonly what: 'snapshot'; readonly data: Uint8Array; readonly place: Place }
  | { readonly what: 'screen'; readonly screen: ScreenText }
  | { readonly what: 'text'; readonly text: string };

/** Worker → main thread. */
export type FromWorker =
  | { readonly kind: 'parsed'; readonly id: number; readonly offset: number }
  | { readonly kind: 'reply'; readonly id: number; readonly offset: number; readonly data: string }
  | { readonly kind: 'title'; readonly id: number; readonly title: string }
  | { readonly kind: 'answer'; readonly id: number; readonly request: number; readonly answer: Answer };
