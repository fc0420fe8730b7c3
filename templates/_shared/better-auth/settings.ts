/**
 * Settings: read once from the environment, checked before anything is served.
 *
 * Production is the default. `AUTH_ENV=development` is refused away from this machine.
 */

import { hkdfSync, randomBytes } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
} from "node:fs";
import { BlockList, isIP } from "node:net";
import { join } from "node:path";

[% if module.tokens -%]
import { freshKey } from "./bearer/keys[= js =]";
import * as bearer from "./bearer/settings[= js =]";
[% endif -%]
[% if module.oidc -%]
import * as providers from "./oidc/settings[= js =]";
[% endif -%]
import {
  isLoopback,
  type Limit,
  looksRandom,
  number,
  required,
  SettingError,
  type Values,
} from "./variables[= js =]";

const SECRET_FIX = 'Make one: echo "AUTH_SECRET=$(openssl rand -base64 32)"';
const BASE_URL_FIX =
  "Set it to what browsers show: AUTH_BASE_URL=https://app.example.com";
const DATABASE_FIX =
  "Set it to a file: DATABASE_URL=sqlite:/var/lib/app/auth.db";
const MAIL_FROM_FIX =
  'Set it to a name and an address: AUTH_MAIL_FROM="App <app@example.com>"';
const SMTP_FIX = "Set it to SMTP_URL=smtps://USER:PASSWORD@HOST";

export const DEVELOPMENT_FOLDER = ".auth-dev";
[%- if sign_in_page %]
// Next reads `.env` in production, too, and this file in `next dev` alone.
[%- endif %]
const DEVELOPMENT_FILE = "[= secrets_file =]";

/** Variable, default, lowest, highest. The first five are those of the profile `[= profile =]`. */
const LIMITS = {
[%- if profile == "strict" %]
  sessionIdle: ["AUTH_SESSION_IDLE_SECONDS", 900, 1, 900],
  sessionAbsolute: ["AUTH_SESSION_ABSOLUTE_SECONDS", 43_200, 1, 43_200],
  sessions: ["AUTH_SESSIONS_LIMIT", 5, 1, 5],
  passwordMin: ["AUTH_PASSWORD_MIN_LIMIT", 15, 15, 64],
  reauth: ["AUTH_REAUTH_SECONDS", 300, 1, 300],
[%- elif profile == "consumer" %]
  sessionIdle: ["AUTH_SESSION_IDLE_SECONDS", 604_800, 1, 2_592_000],
  sessionAbsolute: ["AUTH_SESSION_ABSOLUTE_SECONDS", 2_592_000, 1, 2_592_000],
  sessions: ["AUTH_SESSIONS_LIMIT", 20, 1, 100],
  passwordMin: ["AUTH_PASSWORD_MIN_LIMIT", 12, 12, 64],
  reauth: ["AUTH_REAUTH_SECONDS", 600, 1, 1_800],
[%- else %]
  sessionIdle: ["AUTH_SESSION_IDLE_SECONDS", 3_600, 1, 2_592_000],
  sessionAbsolute: ["AUTH_SESSION_ABSOLUTE_SECONDS", 86_400, 1, 2_592_000],
  sessions: ["AUTH_SESSIONS_LIMIT", 20, 1, 100],
  passwordMin: ["AUTH_PASSWORD_MIN_LIMIT", 15, 15, 64],
  reauth: ["AUTH_REAUTH_SECONDS", 600, 1, 1_800],
[%- endif %]
  verifyToken: ["AUTH_VERIFY_TOKEN_SECONDS", 86_400, 1, 86_400],
  resetToken: ["AUTH_RESET_TOKEN_SECONDS", 1_800, 1, 86_400],
  emailToken: ["AUTH_EMAIL_TOKEN_SECONDS", 3_600, 1, 86_400],
  loginFailures: ["AUTH_LOGIN_FAILURE_LIMIT", 5, 1, 10],
  loginBackoff: ["AUTH_LOGIN_BACKOFF_SECONDS", 30, 1, 3_600],
  loginCap: ["AUTH_LOGIN_CAP_LIMIT", 100, 1, 100],
  loginSource: ["AUTH_LOGIN_SOURCE_LIMIT", 30, 1, 300],
  loginSourceFailures: ["AUTH_LOGIN_SOURCE_FAILURE_LIMIT", 10, 1, 100],
  registerSource: ["AUTH_REGISTER_SOURCE_LIMIT", 20, 1, 200],
  tokenSource: ["AUTH_TOKEN_SOURCE_LIMIT", 20, 1, 200],
  mailSource: ["AUTH_MAIL_SOURCE_LIMIT", 20, 1, 200],
  mailAddress: ["AUTH_MAIL_ADDRESS_LIMIT", 5, 1, 20],
  resendEvery: ["AUTH_RESEND_SECONDS", 180, 1, 86_400],
[%- if module.tokens %]
  accessToken: ["AUTH_TOKEN_ACCESS_SECONDS", 600, 1, 900],
[%- if profile == "strict" %]
  refreshIdle: ["AUTH_TOKEN_REFRESH_IDLE_SECONDS", 86_400, 1, 86_400],
  refreshAbsolute: ["AUTH_TOKEN_REFRESH_ABSOLUTE_SECONDS", 86_400, 1, 86_400],
[%- else %]
  refreshIdle: ["AUTH_TOKEN_REFRESH_IDLE_SECONDS", 604_800, 1, 2_592_000],
  refreshAbsolute: [
    "AUTH_TOKEN_REFRESH_ABSOLUTE_SECONDS",
    2_592_000,
    1,
    2_592_000,
  ],
[%- endif %]
  refreshSource: ["AUTH_TOKEN_REFRESH_SOURCE_LIMIT", 60, 1, 600],
[%- endif %]
} as const satisfies Record<string, Limit>;

/** Lifetimes in seconds, and limits. */
export type Policy = Readonly<Record<keyof typeof LIMITS, number>>;

/** The server that mail goes to. */
export interface Smtp {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly startTls: boolean;
  readonly user: string | undefined;
  readonly password: string | undefined;
}

/** Everything the module can be told. */
export interface Settings {
  readonly development: boolean;
  readonly secret: Buffer;
  /** Cookies that one of these has signed still count. */
  readonly oldSecrets: readonly Buffer[];
  readonly baseUrl: string;
  readonly appName: string;
[%- if sign_in_page %]
  /** The application's page at which people sign in. */
  readonly signInPath: string;
[%- endif %]
  /** The path of the SQLite file. */
  readonly database: string;
  readonly mailFrom: string;
  /** None in development: mail goes to files. */
  readonly smtp: Smtp | undefined;
  readonly trustedProxies: BlockList;
  readonly policy: Policy;
[%- if module.oidc %]
  readonly oidc: providers.Settings;
[%- endif %]
[%- if module.tokens %]
  readonly tokens: bearer.Settings;
[%- endif %]
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the process environment; in development also a file of its own, which it creates if need be. */
export function fromEnvironment(
  environment: Environment = process.env,
): Settings {
  const given = new Map(
    Object.entries(environment)
      .map(([name, value]) => [name, (value ?? "").trim()] as const)
      .filter(([, value]) => value !== ""),
  );
  const development = isDevelopment(given);
  const values = development
    ? new Map([...developmentValues(given), ...given])
    : given;
  const baseUrl = origin(
    required(values, "AUTH_BASE_URL", BASE_URL_FIX),
    development,
  );
  return {
    development,
    secret: secret("AUTH_SECRET", required(values, "AUTH_SECRET", SECRET_FIX)),
    oldSecrets: list(values, "AUTH_OLD_SECRETS").map((text) =>
      secret("AUTH_OLD_SECRETS", text),
    ),
    baseUrl,
    appName: values.get("AUTH_APP_NAME") ?? "app",
[%- if sign_in_page %]
    signInPath: pagePath(values, "AUTH_SIGN_IN_PATH", "[% if ui == "pages" %]/account/sign-in[% else %]/sign-in[% endif %]"),
[%- endif %]
    database: databaseFile(required(values, "DATABASE_URL", DATABASE_FIX)),
    mailFrom: mailFrom(required(values, "AUTH_MAIL_FROM", MAIL_FROM_FIX)),
    smtp: development
      ? undefined
      : smtp(required(values, "SMTP_URL", SMTP_FIX)),
    trustedProxies: trustedProxies(list(values, "AUTH_TRUSTED_PROXIES")),
    policy: policy(values),
[%- if module.oidc %]
    oidc: providers.read(values, development),
[%- endif %]
[%- if module.tokens %]
    tokens: bearer.read(values, baseUrl),
[%- endif %]
  };
}

/** A key of its own for each purpose (RFC 5869). */
export function key(secret: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, "", `auth ${purpose} v1`, 32));
}

function list(values: Values, name: string): string[] {
  const parts = (values.get(name) ?? "").split(",").map((part) => part.trim());
  return parts.filter((part) => part !== "");
}
[%- if sign_in_page %]

/** A path of this application: nothing that a browser takes for another origin. */
function pagePath(values: Values, name: string, preset: string): string {
  const path = values.get(name) ?? preset;
  if (!/^\/(?:[\w~-][\w.~/-]*)?$/.test(path)) {
    throw new SettingError(name, "is not a path such as /sign-in");
  }
  return path;
}
[%- endif %]

function isDevelopment(values: Values): boolean {
  const given = values.get("AUTH_ENV") ?? "production";
  if (given !== "production" && given !== "development") {
    throw new SettingError(
      "AUTH_ENV",
      "is neither production nor development",
      "Unset it for production.",
    );
  }
  return given === "development";
}

function policy(values: Values): Policy {
  const read = ([name, limits]: [string, Limit]) =>
    [name, number(values, limits)] as const;
  return Object.fromEntries(Object.entries<Limit>(LIMITS).map(read)) as Policy;
}

/** Made at the first start, in a file that only its owner reads and git ignores. */
function developmentValues(values: Values): Map<string, string> {
  mkdirSync(DEVELOPMENT_FOLDER, { recursive: true, mode: 0o700 });
  const kept = readEnv(DEVELOPMENT_FILE);
  const keep = (name: string, make: () => string) => {
    if (values.has(name) || kept.has(name)) return;
    const made = make();
    appendPrivately(DEVELOPMENT_FILE, `${name}=${made}\n`);
    kept.set(name, made);
  };
  keep("AUTH_SECRET", () => randomBytes(32).toString("base64"));
[%- if module.tokens %]
  keep("AUTH_TOKEN_KEY", freshKey);
[%- endif %]
  const made = new Map([
    ["AUTH_BASE_URL", `http://localhost:${values.get("PORT") ?? "3000"}`],
    ["DATABASE_URL", `sqlite:${join(DEVELOPMENT_FOLDER, "auth.db")}`],
    ["AUTH_MAIL_FROM", "app <app@localhost.localdomain>"],
  ]);
  return new Map([...made, ...kept]);
}

function readEnv(file: string): Map<string, string> {
  const lines = existsSync(file)
    ? readFileSync(file, "utf8").split(/\r?\n/)
    : [];
  const pairs = lines
    .filter((line) => line.includes("=") && !line.startsWith("#"))
    .map(
      (line) =>
        [
          line.split("=", 1).join(""),
          line.slice(line.indexOf("=") + 1),
        ] as const,
    )
    .map(([name, value]) => [name.trim(), value.trim()] as const);
  return new Map(pairs.filter(([, value]) => value !== ""));
}

function appendPrivately(file: string, line: string): void {
  const before = existsSync(file) ? readFileSync(file, "utf8") : "";
  const start = before === "" || before.endsWith("\n") ? "" : "\n";
  appendFileSync(file, start + line, { mode: 0o600 });
  chmodSync(file, 0o600);
}

/** At least 32 bytes that look random (ASVS 11.2.3). */
function secret(name: string, text: string): Buffer {
  const data = decoded(text);
  if (data === undefined || data.length < 32) {
    throw new SettingError(
      name,
      "is not at least 32 bytes in hex or base64",
      SECRET_FIX,
    );
  }
  if (!looksRandom(data))
    throw new SettingError(name, "does not look random", SECRET_FIX);
  return data;
}

function decoded(text: string): Buffer | undefined {
  if (/^(?:[0-9a-fA-F]{2})+$/.test(text)) return Buffer.from(text, "hex");
  return /^[A-Za-z0-9+/_-]+={0,2}$/.test(text)
    ? Buffer.from(text, "base64")
    : undefined;
}

/** Links in mails and the check of `Origin` use this and never a request's `Host`. */
function origin(given: string, development: boolean): string {
  const text = given.replace(/\/$/, "");
  const match =
    /^(https?):\/\/([a-z0-9.-]+|\[[0-9a-f:]+\])(:[1-9][0-9]{0,4})?$/.exec(text);
  if (
    !match ||
    match[3] === (match[1] === "https" ? ":443" : ":80") ||
    !URL.canParse(text)
  ) {
    throw new SettingError(
      "AUTH_BASE_URL",
      "is not an origin as browsers write it",
      BASE_URL_FIX,
    );
  }
  if (development && !isLoopback(match[2] ?? "")) {
    throw new SettingError(
      "AUTH_BASE_URL",
      "does not name this machine, as development requires",
    );
  }
  if (!development && match[1] !== "https") {
    throw new SettingError(
      "AUTH_BASE_URL",
      "does not start with https://",
      BASE_URL_FIX,
    );
  }
  return text;
}

function databaseFile(text: string): string {
  const file = /^sqlite:(?!\/\/)([^?#]+)$/.exec(text)?.[1];
  if (
    file === undefined ||
    file.includes(":memory:") ||
    file.startsWith("file:")
  ) {
    throw new SettingError(
      "DATABASE_URL",
      "does not name a SQLite file",
      DATABASE_FIX,
    );
  }
  return file;
}

function mailFrom(text: string): string {
  if (
    !/^(?:[^<>,@\r\n]+ <[^@\s<>,]+@[^@\s<>,]+\.[^@\s<>,]+>|[^@\s<>,]+@[^@\s<>,]+\.[^@\s<>,]+)$/.test(
      text,
    )
  ) {
    throw new SettingError(
      "AUTH_MAIL_FROM",
      "is not an address",
      MAIL_FROM_FIX,
    );
  }
  return text;
}

/** TLS, or a relay on this machine (ASVS 12.3.1). */
function smtp(text: string): Smtp {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isKnown = url?.protocol === "smtp:" || url?.protocol === "smtps:";
  if (
    !url ||
    !isKnown ||
    url.hostname === "" ||
    !["", "?tls=required"].includes(url.search)
  ) {
    throw new SettingError(
      "SMTP_URL",
      "is not of the form smtps://HOST:PORT",
      SMTP_FIX,
    );
  }
  const tls = url.protocol === "smtps:";
  const startTls = !tls && url.search !== "";
  if (!tls && !startTls && !isLoopback(url.hostname)) {
    throw new SettingError(
      "SMTP_URL",
      "has no TLS and is not this machine",
      SMTP_FIX,
    );
  }
  const preset = tls ? 465 : startTls ? 587 : 25;
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? preset : Number(url.port),
    tls,
    startTls,
    user: url.username === "" ? undefined : decodeURIComponent(url.username),
    password:
      url.password === "" ? undefined : decodeURIComponent(url.password),
  };
}

function trustedProxies(parts: readonly string[]): BlockList {
  const proxies = new BlockList();
  for (const part of parts) {
    const [address = "", bits, ...rest] = part.split("/");
    const family = isIP(address);
    const width = family === 4 ? 32 : 128;
    const prefix =
      bits === undefined
        ? width
        : /^[0-9]{1,3}$/.test(bits)
          ? Number(bits)
          : NaN;
    if (family === 0 || rest.length > 0 || !(prefix >= 0 && prefix <= width)) {
      const why = "is not a list of addresses or networks";
      throw new SettingError("AUTH_TRUSTED_PROXIES", why);
    }
    if (prefix === 0)
      throw new SettingError("AUTH_TRUSTED_PROXIES", "trusts every address");
    proxies.addSubnet(address, prefix, family === 4 ? "ipv4" : "ipv6");
  }
  return proxies;
}
