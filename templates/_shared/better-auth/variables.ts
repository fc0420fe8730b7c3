/** Environment variables, and what is said of wrong ones. */

import { isIP } from "node:net";

/** A setting that keeps the module from starting: which, why, and what to do. */
export class SettingError extends Error {
  constructor(name: string, why: string, fix = "") {
    super(`${name} ${why}${fix && `\n  ${fix}`}`);
    this.name = "SettingError";
  }
}

/** Those that are set. */
export type Values = ReadonlyMap<string, string>;

/** Variable, default, lowest, highest. */
export type Limit = readonly [
  name: string,
  preset: number,
  low: number,
  high: number,
];

export function required(values: Values, name: string, fix: string): string {
  const value = values.get(name);
  if (value === undefined) throw new SettingError(name, "is not set", fix);
  return value;
}

export function number(
  values: Values,
  [name, preset, low, high]: Limit,
): number {
  const text = values.get(name) ?? String(preset);
  const found = /^[0-9]{1,9}$/.test(text) ? Number(text) : NaN;
  if (!(found >= low && found <= high)) {
    throw new SettingError(
      name,
      `is not a whole number from ${String(low)} to ${String(high)}`,
    );
  }
  return found;
}

/** Text, repetition and counting have few different values and steps. */
export function looksRandom(data: Buffer): boolean {
  const bytes = [...data];
  const steps = bytes
    .slice(1)
    .map((byte, index) => (byte - (bytes[index] ?? 0) + 256) % 256);
  const isText = bytes.every((byte) => byte >= 32 && byte < 127);
  return new Set(bytes).size >= 18 && new Set(steps).size >= 18 && !isText;
}

export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "").replace(/^::ffff:/i, "");
  return (
    bare === "localhost" ||
    bare === "::1" ||
    (isIP(bare) === 4 && bare.startsWith("127."))
  );
}
