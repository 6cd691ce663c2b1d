/** Amounts of CPU and memory as Kubernetes writes them: `250m`, `1.5`, `512Mi`, `4Gi`, `1e3`. */
const QUANTITY = /^([0-9]{1,15}(?:\.[0-9]{1,9})?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|e[0-9]{1,2})?$/;

const factors: Readonly<Record<string, number>> = {
  '': 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** The number an amount stands for, which may be 0; null when the text is no amount. */
export const parseQuantity = (text: string): number | null => {
  const [, digits, suffix = ''] = QUANTITY.exec(text) ?? [];
  if (digits === undefined) return null;
  const amount = Number(digits) * (factors[suffix] ?? Number(`1${suffix}`));
  return Number.isFinite(amount) ? amount : null;
};
