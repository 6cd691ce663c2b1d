import { mergeAreas, type Area } from './merge.ts';

export default mergeAreas(import.meta.glob<{ default: Area }>('./en/*.ts', { eager: true }));
