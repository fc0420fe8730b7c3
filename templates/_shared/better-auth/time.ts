/** Moments. */

export function now(): Date {
  return new Date();
}

export function after(seconds: number): Date {
  return new Date(Date.now() + seconds * 1000);
}

/** In Unix seconds. */
export function unix(moment: Date): number {
  return Math.floor(moment.getTime() / 1000);
}
