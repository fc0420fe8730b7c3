/** Settings of providers, checked before anything listens. */

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

import {
  isLoopback,
  type Limit,
  number,
  required,
  SettingError,
  type Values,
} from "../variables[= js =]";
import type { Preset } from "./preset[= js =]";
import { PRESETS } from "./presets[= js =]";

const ISSUER_FIX =
  "Set it to the `issuer` that the provider's .well-known/openid-configuration has, to the letter.";
const CLIENT_FIX =
  "The provider shows it where the client was made; DEPLOYMENT.md of this module says where that is.";
const CA_FIX = "Set it to a file of certificates in PEM, or unset it.";

/** Variable, default, lowest, highest. */
const LIMITS = {
  timeout: ["AUTH_OIDC_TIMEOUT_SECONDS", 5, 1, 5],
  transaction: ["AUTH_OIDC_TRANSACTION_SECONDS", 600, 1, 600],
  keys: ["AUTH_OIDC_JWKS_SECONDS", 3_600, 1, 3_600],
  cooldown: ["AUTH_OIDC_JWKS_COOLDOWN_SECONDS", 30, 1, 300],
} as const satisfies Record<string, Limit>;

/** A provider and this application's client there. */
export interface Provider {
  readonly preset: Preset;
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** How old a sign-in at the provider may be at most, in seconds. */
  readonly maxAge?: number | undefined;
  /** What strength of authentication it must be. */
  readonly acr?: string | undefined;
}

/** Everything that is told about providers. Times are in seconds. */
export interface Settings {
  /** Those that can be used, by what paths call them. */
  readonly providers: ReadonlyMap<string, Provider>;
  /** Certificates of authorities to trust beside the usual ones, in PEM. */
  readonly authorities: string | undefined;
  /** How long one call to a provider may take. */
  readonly timeout: number;
  /** How long somebody has to come back from a provider. */
  readonly transaction: number;
  /** How long a provider's description and keys are kept. */
  readonly keys: number;
  /** How often an unknown key makes the module ask for the keys again. */
  readonly cooldown: number;
  readonly development: boolean;
}

export function read(values: Values, development: boolean): Settings {
  const found = PRESETS.map((preset) => provider(preset, values, development));
  return {
    providers: new Map(
      found
        .filter((one) => one !== undefined)
        .map((one) => [one.preset.id, one]),
    ),
    authorities: authorities(values),
    timeout: number(values, LIMITS.timeout),
    transaction: number(values, LIMITS.transaction),
    keys: number(values, LIMITS.keys),
    cooldown: number(values, LIMITS.cooldown),
    development,
  };
}

/** The name of a provider's setting. */
export function variable(preset: Preset, what: string): string {
  return `AUTH_OIDC_${preset.id.toUpperCase()}_${what}`;
}

/** In development, a provider of which nothing is set is left out. */
function provider(
  preset: Preset,
  values: Values,
  development: boolean,
): Provider | undefined {
  const [id, secret] = ["CLIENT_ID", "CLIENT_SECRET"].map((what) =>
    variable(preset, what),
  ) as [string, string];
  const names = [variable(preset, "ISSUER"), id, secret];
  if (development && !names.some((name) => values.has(name))) {
    console.error(`auth: sign-in with ${preset.name} is off: ${id} is not set`);
    return undefined;
  }
  return {
    preset,
    issuer: issuer(preset, values, development),
    clientId: required(values, id, CLIENT_FIX),
    clientSecret: required(values, secret, CLIENT_FIX),
    ...strength(preset, values),
  };
}

/** What must be said of a sign-in there, if anything. */
function strength(preset: Preset, values: Values) {
[%- if 'github' in providers %]
  // Only an ID token can say either.
  if (preset.endpoints) return {};
[%- endif %]
  const maxAge = variable(preset, "MAX_AGE_SECONDS");
  return {
    maxAge: values.has(maxAge)
      ? number(values, [maxAge, 0, 1, 2_592_000])
      : undefined,
    acr: values.get(variable(preset, "ACR")),
  };
}

function issuer(preset: Preset, values: Values, development: boolean): string {
[%- if 'github' in providers %]
  if (preset.endpoints && preset.issuer !== undefined) return preset.issuer;
[%- endif %]
  const name = variable(preset, "ISSUER");
  const text = values.get(name) ?? preset.issuer;
  if (text === undefined)
    throw new SettingError(name, "is not set", ISSUER_FIX);
  if (preset.sharedIssuers.some((part) => text.includes(part))) {
    const why =
      "stands for more than one organisation; it needs the id of one tenant";
    throw new SettingError(name, why, ISSUER_FIX);
  }
  if (!/^[\x21-\x7e]+$/.test(text) || /[?#@]/.test(text)) {
    const why =
      "is not the address of an issuer: it has more than host and path";
    throw new SettingError(name, why, ISSUER_FIX);
  }
  if (!isSafe(text, development))
    throw new SettingError(name, "does not start with https://", ISSUER_FIX);
  return text;
}

/** TLS; in development, this machine will do (ASVS 12.3.1). */
export function isSafe(address: string, development: boolean): boolean {
  if (!URL.canParse(address)) return false;
  const { hostname, protocol } = new URL(address);
  const isLocal = development && protocol === "http:" && isLoopback(hostname);
  return protocol === "https:" || isLocal;
}

function authorities(values: Values): string | undefined {
  const name = "AUTH_OIDC_CA_FILE";
  const file = values.get(name);
  if (file === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    throw new SettingError(name, "cannot be read", CA_FIX);
  }
  try {
    new X509Certificate(text);
  } catch {
    throw new SettingError(name, "holds no certificate in PEM", CA_FIX);
  }
  return text;
}
