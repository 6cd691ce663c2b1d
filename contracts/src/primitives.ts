import { Type, type TEnum, type TSchema } from 'typebox';

/** Decimal database id, always within int8. Ids are strings on the wire because JavaScript numbers end at 2^53. */
export const Id = Type.String({ pattern: '^[1-9][0-9]{0,17}$', maxLength: 18 });

/** Instant as ISO 8601 UTC text, e.g. `2026-11-21T14:03:22.123Z`. */
export const Timestamp = Type.String({ maxLength: 32 });

/**
 * One line of text that people read: no control characters, no bidirectional overrides, no zero-width
 * characters that make two names look alike, not blank at either end.
 */
export const DISPLAY_TEXT_PATTERN =
  '^(?!\\s)[^\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200b\\u200e\\u200f\\u2028\\u2029\\u202a-\\u202e\\u2060\\u2066-\\u2069\\ufeff]*(?<!\\s)$';
export const displayText = (minLength: number, maxLength: number) =>
  Type.String({ minLength, maxLength, pattern: DISPLAY_TEXT_PATTERN });

/** Text of several lines: tab and line breaks allowed, NUL and the other control characters are not. */
export const multilineText = (maxLength: number) =>
  Type.String({ maxLength, pattern: '^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f]*$' });

/** Body or query object: unknown fields are refused, never dropped. */
export const strict = <P extends Record<string, TSchema>>(properties: P) =>
  Type.Object(properties, { additionalProperties: false });

export const nullable = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);

// The type is written out: inferred through the generic it would be `string`.
export const oneOf = <const V extends readonly string[]>(values: V): TEnum<[...V]> => Type.Enum<[...V]>([...values]);

export const Empty = strict({});
