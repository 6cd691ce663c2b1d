const UNITS: Readonly<Record<string, number>> = { B: 1, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };

interface Listed {
  readonly names?: readonly string[] | null;
  readonly size?: string;
}

/**
 * Bytes of the unpacked image `name` (with its tag), from what `buildah images --json` printed; buildah rounds to three digits. Null when it is
 * not there, or its size is not said.
 */
export const imageSizeBytes = (listing: string, name: string): number | null => {
  let images: unknown;
  try {
    images = JSON.parse(listing);
  } catch {
    return null;
  }
  if (!Array.isArray(images)) return null;
  const found = (images as Listed[]).find(({ names }) =>
    names?.some((each) => each === name || each.endsWith(`/${name}`)),
  );
  const [, amount = '', unit = ''] = /^([\d.]+) ?([kKMGT]?B)$/.exec(found?.size ?? '') ?? [];
  const bytes = Number(amount) * (UNITS[unit] ?? 0);
  return bytes > 0 ? Math.round(bytes) : null;
};
