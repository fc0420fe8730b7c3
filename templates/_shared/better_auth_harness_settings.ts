export const ORIGIN = "https://app.example.com";
export const PASSWORD = "seven quiet herons cross";

/** Settings of production, with limits that are out of the way. */
export function environment(folder: string): Record<string, string> {
  return {
    AUTH_SECRET: randomBytes(32).toString("base64"),
    AUTH_BASE_URL: ORIGIN,
    AUTH_MAIL_FROM: "App <app@example.com>",
    AUTH_TRUSTED_PROXIES: "127.0.0.1",
    AUTH_MAIL_ADDRESS_LIMIT: "20",
    DATABASE_URL: `sqlite:${join(folder, "auth.db")}`,
    SMTP_URL: "smtp://127.0.0.1:1",
[%- if module.tokens %]
    AUTH_TOKEN_KEY: freshKey(),
[%- endif %]
[%- if module.oidc %]
    ...PROVIDERS,
[%- endif %]
  };
}

[% if module.oidc -%]
/** Settings of the providers, none of which is called. */
const PROVIDERS = Object.fromEntries(
  PRESETS.flatMap((preset) => [
    [variable(preset, "ISSUER"), "https://id.example.com"],
    [variable(preset, "CLIENT_ID"), "client"],
    [variable(preset, "CLIENT_SECRET"), "secret"],
  ]),
);

[% endif -%]
export interface Letter {
  to: string;
  subject: string;
  text: string;
}

export interface Answer {
  status: number;
  headers: Headers;
  cookies: string[];
  body: Record<string, unknown>;
  text: string;
}

export type Json = Record<string, unknown> | string;
