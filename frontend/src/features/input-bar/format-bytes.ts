const units = ['B', 'KB', 'MB', 'GB'] as const;

/** "310 B", "1.2 MB", "41 MB": one decimal below ten, 1 KB = 1,024 B as file managers count. */
export const formatBytes = (bytes: number): string => {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit > 0 && value < 10 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[unit] ?? 'GB'}`;
};
