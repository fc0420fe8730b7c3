/** The module behind a server of Node that passes requests on as Next does, with clients and mail that tests can read. */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";

import { createTransport } from "nodemailer";

[% if module.tokens -%]
import type { ApiUser } from "../bearer/guard";
import { freshKey } from "../bearer/keys";
[% endif -%]
import { watch } from "../incoming";
import { Outbox } from "../mail";
[%- if module.oidc %]
import { type Call, calls } from "../oidc/calls";
import { PRESETS } from "../oidc/presets";
import { variable } from "../oidc/settings";
[%- endif %]
import { Auth } from "../server";
import { fromEnvironment[% if module.oidc %], type Settings[% endif %] } from "../settings";
import type { User } from "../user";

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

/** The servers that stand for Next's. */
export const servers = new WeakSet<Server>();

watch(undefined, ({ server }) => servers.has(server));

/** As Next does it: a `Request` in, a `Response` out, handlers of the application's own beside the module's. */
async function serve(
  auth: Auth,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = incoming.url?.split("?", 1)[0];
  const isUnsafe = !["GET", "HEAD"].includes(incoming.method ?? "");
  const body = isUnsafe
    ? (Readable.toWeb(incoming) as ReadableStream<Uint8Array>)
    : null;
  const request = new Request(`http://localhost${incoming.url ?? "/"}`, {
    method: incoming.method ?? "GET",
    headers: Object.entries(incoming.headers).map(
      ([name, value]): [string, string] => [name, String(value)],
    ),
    ...(body ? { body, duplex: "half" } : {}),
  });
  const shown = (user: User) => Response.json({ id: user.id });
[%- if module.tokens %]
  const told = (user: ApiUser) => Response.json(user);
[%- endif %]
  const handlers: Record<string, () => Promise<Response>> = {
    "/private": () => auth.guard("any", shown),
    "/close": () => auth.guard("fresh", shown),
[%- if module.tokens %]
    "/api": () => auth.guardApi({ scope: "read" }, told),
    "/api/any": () => auth.guardApi("any", told),
    "/api/fresh": () => auth.guardApi("fresh", told),
[%- endif %]
  };
  const handler = handlers[path ?? ""] ?? (() => auth.answer(request));
  const answer = await handler();
  response.statusCode = answer.status;
  response.setHeaders(answer.headers);
  response.end(answer.body ? await text(answer.body) : undefined);
}

/** Starts a server on this machine, and tells where. */
export async function listening(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${String(port)}`;
}

/** A browser: keeps cookies, and says where its requests come from. */
export class Client {
  readonly cookies = new Map<string, string>();
  readonly #base: string;
  ip: string;

  constructor(base: string) {
    this.#base = base;
    this.ip = `198.51.${String(randomBytes(1)[0])}.${String(randomBytes(1)[0])}`;
  }

  /** Another browser with the same cookies. */
  copy(): Client {
    const other = new Client(this.#base);
    for (const [name, value] of this.cookies) other.cookies.set(name, value);
    return other;
  }

  async call(
    method: string,
    path: string,
    json?: Json,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`);
    const given = {
      "x-forwarded-for": this.ip,
      ...(method === "GET" ? {} : { origin: ORIGIN }),
      ...(cookie.length > 0 ? { cookie: cookie.join("; ") } : {}),
      ...(json === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    };
    const body = typeof json === "object" ? JSON.stringify(json) : json;
    const kept = Object.entries(given).filter(([, value]) => value !== "");
    const answer = await fetch(this.#base + path, {
      method,
      headers: Object.fromEntries(kept),
      redirect: "manual",
      ...(body === undefined ? {} : { body }),
    });
    const text = await answer.text();
    const cookies = answer.headers.getSetCookie();
    for (const line of cookies) this.#keep(line);
    const parsed: unknown = text.startsWith("{") ? JSON.parse(text) : {};
    const { status } = answer;
    const shown = parsed as Record<string, unknown>;
    return { status, headers: answer.headers, cookies, body: shown, text };
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.call("GET", path, undefined, headers);
  }

  post(
    path: string,
    json: Json = {},
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    return this.call("POST", path, json, headers);
  }

  login(email: string, password = PASSWORD): Promise<Answer> {
    return this.post("/auth/login", { email, password });
  }

  async isSignedIn(): Promise<boolean> {
    return (await this.get("/auth/me")).status === 200;
  }

  #keep(line: string): void {
    const [pair = ""] = line.split(";", 1);
    const name = pair.slice(0, pair.indexOf("="));
    const value = pair.slice(pair.indexOf("=") + 1);
    if (value === "") this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}

export class Lab {
  readonly letters: Letter[] = [];
  readonly file: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "auth-"));
  readonly #close: () => Promise<void>;
  readonly #base: Promise<string>;
  #people = 0;
[%- if module.oidc %]

  constructor(
    overrides: Record<string, string> = {},
    change = (settings: Settings): Settings => settings,
    call?: Call,
  ) {
    const given = { ...environment(this.#folder), ...overrides };
    const settings = change(fromEnvironment(given));
[%- else %]

  constructor(overrides: Record<string, string> = {}) {
    const given = { ...environment(this.#folder), ...overrides };
    const settings = fromEnvironment(given);
[%- endif %]
    this.file = settings.database;
    const post = createTransport({
      name: "letters",
      version: "1",
      send: (mail, done) => {
        const { to, subject, text } = mail.data as {
          to: { address: string };
          subject: string;
          text: string;
        };
        this.letters.push({ to: to.address, subject, text });
        done(null, { envelope: mail.message.getEnvelope(), messageId: "" });
      },
    });
[%- if module.oidc %]
    const mail = new Outbox(settings, post);
    const auth = new Auth(settings, mail, call ?? calls(settings.oidc));
[%- else %]
    const auth = new Auth(settings, new Outbox(settings, post));
[%- endif %]
    const server = createServer((incoming, response) => {
      void serve(auth, incoming, response);
    });
    servers.add(server);
    this.#base = listening(server);
    this.#close = async () => {
      server.closeAllConnections();
      server.close();
      await auth.close();
      rmSync(this.#folder, { recursive: true });
    };
  }

  /** Where it listens. */
  origin(): Promise<string> {
    return this.#base;
  }

  async client(): Promise<Client> {
    return new Client(await this.#base);
  }

  close(): Promise<void> {
    return this.#close();
  }

  email(): string {
    this.#people += 1;
    return `person${String(this.#people)}@example.com`;
  }

  /** The mails to an address so far, once there are so many. */
  async mails(to: string, count = 1): Promise<Letter[]> {
    for (let tries = 0; tries < 400; tries += 1) {
      const found = this.letters.filter((letter) => letter.to === to);
      if (found.length >= count) return found;
      await new Promise((resolve) => setImmediate(resolve));
    }
    throw new Error(`not ${String(count)} mails for ${to}`);
  }

  /** The token in the newest mail to an address. */
  async token(to: string, count = 1): Promise<string> {
    const newest = (await this.mails(to, count)).at(-1);
    return /token=([\w-]+)/.exec(newest?.text ?? "")?.[1] ?? "";
  }

  /** Somebody with a confirmed address, signed in. */
  async member(): Promise<{ email: string; client: Client }> {
    const email = this.email();
    const client = await this.client();
    await client.post("/auth/register", { email, password: PASSWORD });
    await client.post("/auth/verify", { token: await this.token(email) });
    return { email, client };
  }

  /** What stands in the database. */
  rows(sql: string): Record<string, unknown>[] {
    const database = new DatabaseSync(this.file);
    try {
      return database.prepare(sql).all();
    } finally {
      database.close();
    }
  }
}
